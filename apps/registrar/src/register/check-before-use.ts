import { Fault, type ImagePolicy, judge, profilesByPolicy, type Purpose } from '@kiln/domain';
import {
  type Executor,
  findAttestation,
  findPolicy,
  type Image,
  refusedBy,
  wantAttestation,
  wantInspection,
} from '@kiln/persistence';

/** What is about to become usable. */
type Candidate = Pick<Image, 'accountId' | 'workspaceId' | 'host' | 'repository' | 'registryConnectionId'> & {
  digest: string;
  arch: string;
};

/** Looked for soon at first: most images have little that is new. */
const pauseMs = (since: Date): number => Math.min(Math.max((Date.now() - since.getTime()) / 4, 200), 5000);

/** Documents tell of what is in the image: they are written once that is known. */
async function waitForDocuments(
  db: Executor,
  image: Candidate,
  buildId: string,
  readAt: Date | undefined,
): Promise<number | undefined> {
  const { accountId, workspaceId, host, repository, registryConnectionId, digest, arch } = image;
  const place = { accountId, workspaceId, host, repository, registryConnectionId, digest, arch };
  await wantAttestation(db, { ...place, buildId }, readAt);
  const known = await findAttestation(db, place);
  if (known?.state === 'done') return undefined;
  if (known?.state === 'failed')
    throw new Fault(
      'PolicyRefused',
      `the policy wants documents attached, and ${known.error?.message ?? 'that failed'}`,
    );
  return pauseMs(known?.createdAt ?? new Date());
}

const asksFirst = (policy: ImagePolicy, purpose: Purpose, buildId: string | undefined) => ({
  checks: policy.mode === 'refuse' && profilesByPolicy(policy, purpose).length > 0,
  documents: policy.attest === 'before' && buildId !== undefined,
});

/**
 * Asks whether the policy of its workspace lets an image become usable. `refuse` makes it wait for its layers to be read;
 * what cannot be read, or takes longer than the policy waits, passes, and is judged once it is known. Where documents are to
 * be attached before, a build waits for those however long that takes.
 * @param buildId of an image that a build has made
 * @returns milliseconds until the next look; undefined when the image may go on
 * @throws Fault PolicyRefused
 */
export async function checkBeforeUse(
  db: Executor,
  image: Candidate,
  purpose: Purpose,
  buildId?: string,
): Promise<number | undefined> {
  const policy = await findPolicy(db, image.accountId, image.workspaceId);
  const asked = asksFirst(policy, purpose, buildId);
  if (!asked.checks && !asked.documents) return undefined;
  const { accountId, host, repository, registryConnectionId, digest, arch } = image;
  const place = { accountId, host, repository, registryConnectionId, digest, arch };
  const known = await wantInspection(db, { ...place, buildId: buildId ?? null });
  if (known?.state === 'waiting' || known?.state === 'reading') {
    const waitedMs = Date.now() - known.createdAt.getTime();
    if (waitedMs < policy.waitSeconds * 1000) return pauseMs(known.createdAt);
  }
  const check = judge(policy, purpose, known?.results ?? undefined);
  if (asked.checks && check?.verdict === 'fail') throw refusedBy(check);
  return asked.documents && buildId !== undefined
    ? waitForDocuments(db, image, buildId, known?.readAt ?? undefined)
    : undefined;
}
