import { type PoolType, requestFields, type ResourceRequest } from '../builds/build-request.ts';
import { fieldFault } from '../errors/fault.ts';

/** A pool of builders, as an operator describes it. */
export interface Pool {
  /** Of requests that name a type, the pool takes those that name this one. */
  type?: PoolType;
  /** Ids of the accounts that may use it; all when left out. */
  accounts?: string[];
}

/** The builders of no pool in particular. */
export const commonPool = '';

/** The pools that have names of their own. */
export const poolNames = (pools: Record<string, unknown>): string[] => Object.keys(pools).filter((it) => it !== '*');

const mayUse = ({ accounts }: Pool, accountId: string): boolean => accounts?.includes(accountId) ?? true;

/**
 * The pool that a request asks for by name. Where an operator lists no pools, all builders are one, whatever
 * a request calls it; names that nobody knows mean the common one where `*` is listed.
 * @throws Fault InvalidParameter that names the field
 */
export function poolOf(
  pools: Record<string, Pool>,
  { pool: id, poolType: type }: ResourceRequest,
  accountId: string,
): string {
  const names = Object.keys(pools);
  if (id === undefined || names.length === 0) return commonPool;
  const found = id !== '*' && Object.hasOwn(pools, id) ? pools[id] : undefined;
  if (!found || !mayUse(found, accountId)) {
    if (!found && names.includes('*')) return commonPool;
    const known = poolsFor(pools, accountId);
    throw fieldFault(
      'InvalidParameter',
      requestFields.pool,
      `there is no pool of builders ${JSON.stringify(id)}; ${known.length > 0 ? `there are ${known.join(', ')}` : 'leave it out'}`,
    );
  }
  if (type !== found.type && type !== undefined)
    throw fieldFault('InvalidParameter', requestFields.poolType, `pool ${id} is not of type ${type}`);
  return id;
}

/** The pools that an account's requests may name. */
export const poolsFor = (pools: Record<string, Pool>, accountId: string): string[] =>
  poolNames(pools).filter((it) => mayUse(pools[it] ?? {}, accountId));
