import { randomUUID } from 'node:crypto';
import type { BuildError } from '@kiln/domain';
import { and, eq, sql } from 'drizzle-orm';
import type { Executor } from '../db/database.ts';
import { type AttachedDocument, attestations } from '../tables/attestations.ts';
import { type BuildBase, buildAttempts } from '../tables/builds.ts';
import { atOnce } from '../tables/moment.ts';

export type Attestation = typeof attestations.$inferSelect;
export { type BuildBase } from '../tables/builds.ts';
export { type AttachedDocument } from '../tables/attestations.ts';

/** For how long a registrar that has fallen silent keeps what it writes, in seconds. */
const leaseSeconds = 120;
export const attestationAttemptsMax = 8;

const gaveUp: BuildError = {
  code: 'InternalError',
  message: `${attestationAttemptsMax} registrars ended while they attached documents`,
  class: 'infra',
  phase: 'register',
  attempt: attestationAttemptsMax,
};

type Place = Pick<Attestation, 'accountId' | 'host' | 'repository' | 'digest'>;
const isOf = ({ accountId, host, repository, digest }: Place) =>
  and(
    eq(attestations.accountId, accountId),
    eq(attestations.host, host),
    eq(attestations.repository, repository),
    eq(attestations.digest, digest),
  );

export async function findAttestation(db: Executor, image: Place): Promise<Attestation | undefined> {
  const [row] = await db.select().from(attestations).where(isOf(image));
  return row;
}

/**
 * Has documents attached to an image of a build, once for its digest; anew for another build where that has failed, and
 * where there is no SBOM since the image had not been read.
 * @param readAt when the image was read
 */
export const wantAttestation = async (
  db: Executor,
  image: Place & Pick<Attestation, 'workspaceId' | 'arch' | 'registryConnectionId' | 'buildId'>,
  readAt: Date | undefined,
): Promise<void> =>
  void (await db
    .insert(attestations)
    .values({ id: `att-${randomUUID()}`, ...image })
    .onConflictDoUpdate({
      target: [attestations.accountId, attestations.host, attestations.repository, attestations.digest],
      set: { state: 'waiting', attempt: 0, error: null, notBefore: atOnce, buildId: image.buildId },
      setWhere: sql`(${attestations.state} = 'failed' AND ${attestations.buildId} <> excluded.build_id)
        OR (${attestations.state} = 'done' AND ${attestations.writtenAt} < ${readAt?.toISOString() ?? null}::timestamptz
          AND NOT ${attestations.documents} @> '[{"kind":"spdx"}]')`,
    }));

/** Takes the next image whose turn it is. */
export async function claimAttestation(db: Executor): Promise<Attestation | undefined> {
  const hasFailed = sql`state = 'writing' AND attempt >= ${attestationAttemptsMax}`;
  const givenUp = db.$with('given_up').as(
    db
      .update(attestations)
      .set({ state: 'failed', error: gaveUp })
      .where(sql`${hasFailed} AND not_before <= now()`)
      .returning({ id: attestations.id }),
  );
  const [row] = await db
    .with(givenUp)
    .update(attestations)
    .set({
      state: 'writing',
      attempt: sql`${attestations.attempt} + 1`,
      notBefore: sql`now() + make_interval(secs => ${leaseSeconds})`,
    })
    .where(
      sql`${attestations.id} = (SELECT id FROM attestations WHERE state IN ('waiting', 'writing') AND not_before <= now()
        AND NOT (${hasFailed}) ORDER BY not_before LIMIT 1 FOR UPDATE SKIP LOCKED)`,
    )
    .returning();
  return row;
}

const isHeld = ({ id, attempt }: Pick<Attestation, 'id' | 'attempt'>) =>
  and(eq(attestations.id, id), eq(attestations.attempt, attempt), eq(attestations.state, 'writing'));

/** Writes what is attached by now; false when the claim is stale. */
export async function recordAttached(
  db: Executor,
  claim: Attestation,
  documents: AttachedDocument[],
  done: boolean,
): Promise<boolean> {
  const { rowCount } = await db
    .update(attestations)
    .set({
      documents,
      ...(done
        ? { state: 'done' as const, error: null, writtenAt: sql`now()` }
        : { notBefore: sql`now() + make_interval(secs => ${leaseSeconds})` }),
    })
    .where(isHeld(claim));
  return rowCount === 1;
}

/** Gives a claim up: for good, or until later. */
export const failAttestation = async (
  db: Executor,
  claim: Attestation,
  error: BuildError,
  delayMs: number | undefined,
): Promise<void> =>
  void (await db
    .update(attestations)
    .set({
      state: delayMs === undefined ? 'failed' : 'waiting',
      error,
      ...(delayMs === undefined ? {} : { notBefore: sql`now() + make_interval(secs => ${delayMs / 1000})` }),
    })
    .where(isHeld(claim)));

/** The image is gone: one with the same digest is to be told of anew. */
export const removeAttestation = async (db: Executor, id: string): Promise<void> =>
  void (await db.delete(attestations).where(eq(attestations.id, id)));

/** Writes down which images an attempt starts from. Nothing happens when the fence is stale. */
export const recordBases = async (
  db: Executor,
  { id, attempt, fence }: { id: string; attempt: number; fence: number },
  bases: readonly BuildBase[],
): Promise<void> =>
  void (await db
    .update(buildAttempts)
    .set({
      bases: bases.map(({ name, id: image, index, platform, reference }) => ({
        name,
        id: image,
        index,
        platform,
        reference,
      })),
    })
    .where(and(eq(buildAttempts.buildId, id), eq(buildAttempts.attempt, attempt), eq(buildAttempts.fence, fence))));
