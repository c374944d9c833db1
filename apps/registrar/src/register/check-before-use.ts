import { judge, profilesByPolicy, type Purpose } from '@kiln/domain';
import { type Executor, findPolicy, type Image, refusedBy, wantInspection } from '@kiln/persistence';

/** What is about to become usable. */
type Candidate = Pick<Image, 'accountId' | 'workspaceId' | 'host' | 'repository' | 'registryConnectionId'> & {
  digest: string;
  arch: string;
};

/** Looked for soon at first: most images have little that is new. */
const pauseMs = (waitedMs: number): number => Math.min(Math.max(waitedMs / 4, 200), 5000);

/**
 * Asks whether the policy of its workspace lets an image become usable. Only `refuse` makes it wait for its layers to be
 * read; what cannot be read, or takes longer than the policy waits, passes, and is judged once it is known.
 * @returns milliseconds until the next look; undefined when the image may go on
 * @throws Fault PolicyRefused
 */
export async function checkBeforeUse(db: Executor, image: Candidate, purpose: Purpose): Promise<number | undefined> {
  const policy = await findPolicy(db, image.accountId, image.workspaceId);
  if (policy.mode !== 'refuse' || profilesByPolicy(policy, purpose).length === 0) return undefined;
  const { accountId, host, repository, registryConnectionId, digest, arch } = image;
  const known = await wantInspection(db, { accountId, host, repository, registryConnectionId, digest, arch });
  if (known?.state === 'waiting' || known?.state === 'reading') {
    const waitedMs = Date.now() - known.createdAt.getTime();
    return waitedMs < policy.waitSeconds * 1000 ? pauseMs(waitedMs) : undefined;
  }
  const check = judge(policy, purpose, known?.results ?? undefined);
  if (check?.verdict === 'fail') throw refusedBy(check);
  return undefined;
}
