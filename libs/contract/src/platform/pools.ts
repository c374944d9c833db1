import { z } from 'zod';
import { Fault } from '@kiln/domain';
import { type CreateImageBuildBody } from '../pai/image-build.ts';

/** What builders and requests call a pool; it is part of a queue's name. */
export const poolName = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, 'must be a name of at most 64 letters, digits, . _ and -');

/** A pool of builders as an operator writes it. */
export const poolSchema = z.strictObject({
  /** PAI's ResourceType: of requests that name one, the pool takes those that name this. */
  ResourceType: z.literal('Lingjun').exactOptional(),
  /** Ids of the accounts that may use it; all when left out. */
  accounts: z.array(z.string()).exactOptional(),
});
type Pool = z.infer<typeof poolSchema>;

/** The builders of no pool in particular. */
export const commonPool = '';

/** The pools that have names of their own. */
export const poolNames = (pools: Record<string, unknown>): string[] => Object.keys(pools).filter((it) => it !== '*');

/**
 * The pool that a request asks for by its ResourceId. Where an operator lists no pools, all builders are one, whatever
 * a request calls it; names that nobody knows mean the common one where `*` is listed.
 * @throws Fault InvalidParameter that names the field
 */
export function poolOf(
  pools: Record<string, Pool>,
  { ResourceId: id, ResourceType: type }: CreateImageBuildBody['Resource'],
  accountId: string,
): string {
  const names = Object.keys(pools);
  if (id === undefined || names.length === 0) return commonPool;
  const found = id !== '*' && Object.hasOwn(pools, id) ? pools[id] : undefined;
  const mayUse = (pool: Pool) => pool.accounts?.includes(accountId) ?? true;
  const wrong = (field: 'ResourceId' | 'ResourceType', why: string) =>
    new Fault('InvalidParameter', `Resource.${field}: ${why}`, { field: `Resource.${field}` });
  if (!found || !mayUse(found)) {
    if (!found && names.includes('*')) return commonPool;
    const known = poolNames(pools).filter((it) => mayUse(pools[it] ?? {}));
    throw wrong(
      'ResourceId',
      `there is no pool of builders ${JSON.stringify(id)}; ${known.length > 0 ? `there are ${known.join(', ')}` : 'leave it out'}`,
    );
  }
  if (type !== found.ResourceType && type !== undefined)
    throw wrong('ResourceType', `pool ${id} is not of type ${type}`);
  return id;
}
