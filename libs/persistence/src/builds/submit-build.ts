import { createHash } from 'node:crypto';
import { traceparent } from '@kiln/kit';
import { beginningOf, type BuildRequest, type Lane, type Lineage } from '@kiln/domain';
import { and, eq, sql } from 'drizzle-orm';
import { type Database, type Executor, inTransaction, runPrepared } from '../db/database.ts';
import { builds } from '../tables/builds.ts';
import { heldStatus } from '../tables/images.ts';

export interface NewBuild {
  id: string;
  jobId: string;
  accountId: string;
  projectId: string;
  workspaceId: string;
  userId: string;
  clientToken: string | null;
  requestHash: string;
  request: BuildRequest;
  registryAuthsSealed: string | null;
  displayName: string;
  registryConnectionId: string;
  host: string;
  repository: string;
  tag: string;
  lane: Lane;
  /** The builders that may take it; empty for those of the common pool. */
  pool: string;
  /** What its sender is told: where the build does not have quite what the request says. */
  notes: string[];
  /** The build that this one does again. */
  parent?: { id: string; lineage: Lineage };
}

export type SubmitOutcome =
  | { outcome: 'accepted' }
  | { outcome: 'token-used'; id: string; jobId: string; requestHash: string }
  | { outcome: 'name-taken' };

// One statement, hence one commit and one round trip.
const statement = `
  WITH accepted AS (
    INSERT INTO builds (id, job_id, account_id, project_id, workspace_id, user_id, client_token, request_hash, request,
      registry_auths_sealed, display_name, image_name, registry_connection_id, host, repository, tag, overwrite,
      accessibility, lane, parent_id, lineage, pool, trace, notes, cache_key, state, phase)
    SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23,
      $24::text[], $25, 'queued', 'wait'
    WHERE NOT EXISTS (SELECT 1 FROM images WHERE workspace_id = $5 AND name = $12 AND ${heldStatus})
    ON CONFLICT DO NOTHING RETURNING id
  ), event AS (
    INSERT INTO build_events (build_id, state, attempt, message)
    SELECT id, 'queued', 0, array_to_string(coalesce($21 || ' of ' || $20, 'accepted') || $24::text[], '; ')
      FROM accepted
  )
  SELECT id FROM accepted`;

/** Empty where there is nothing to share, and for a Dockerfile that is to come from elsewhere. */
function cacheKeyOf({ dockerfile, noCache }: BuildRequest): string {
  const beginning = noCache ? '' : beginningOf(dockerfile);
  return beginning === '' ? '' : createHash('sha256').update(beginning).digest('hex').slice(0, 16);
}

/** @returns whether the build was accepted; neither its name nor its client token may be in use */
async function insertBuild(db: Executor, build: NewBuild): Promise<boolean> {
  const { image, target, visibility } = build.request;
  const { rowCount } = await runPrepared(db, 'submit-build', statement, [
    build.id,
    build.jobId,
    build.accountId,
    build.projectId,
    build.workspaceId,
    build.userId,
    build.clientToken,
    build.requestHash,
    JSON.stringify(build.request),
    build.registryAuthsSealed,
    build.displayName,
    image.name,
    build.registryConnectionId,
    build.host,
    build.repository,
    build.tag,
    target.overwrite,
    visibility,
    build.lane,
    build.parent?.id ?? null,
    build.parent?.lineage ?? null,
    build.pool,
    traceparent(),
    build.notes,
    cacheKeyOf(build.request),
  ]);
  return rowCount === 1;
}

/**
 * Accepts a build into the pending queue: row and first event together. A refused build leaves its client token unused.
 * When two requests with one token race, the loser waits for the winner's commit and then reads what it wrote.
 * @param clientTokenHours how long a client token stands for what it was used for first
 */
export async function submitBuild(db: Database, build: NewBuild, clientTokenHours: number): Promise<SubmitOutcome> {
  if (await insertBuild(db, build)) return { outcome: 'accepted' };
  const { accountId, clientToken } = build;
  if (clientToken === null) return { outcome: 'name-taken' };
  const first = await findByClientToken(db, accountId, clientToken, clientTokenHours);
  if (first) return { outcome: 'token-used', ...first };
  if (await beginAnew(db, build, clientToken, clientTokenHours)) return { outcome: 'accepted' };
  // Another request with the token may have begun anew in between.
  const later = await findByClientToken(db, accountId, clientToken, clientTokenHours);
  return later ? { outcome: 'token-used', ...later } : { outcome: 'name-taken' };
}

/**
 * Takes a client token that stands for nothing any more from its build, for this one; in one transaction, so that
 * nobody sees it free.
 */
const beginAnew = (db: Database, build: NewBuild, clientToken: string, clientTokenHours: number): Promise<boolean> =>
  inTransaction(db, async (tx) => {
    const { rowCount } = await tx
      .update(builds)
      .set({ clientToken: null })
      .where(and(ofToken(build.accountId, clientToken), isSpent(clientTokenHours)));
    return rowCount === 1 && (await insertBuild(tx, build));
  });

/**
 * Whether a client token no longer stands for the build that it came with: it is too old, or that build's image has
 * been deleted.
 */
const isSpent = (
  clientTokenHours: number,
) => sql`(${builds.finishedAt} IS NOT NULL AND (${builds.createdAt} < now() - make_interval(hours => ${clientTokenHours})
  OR EXISTS (SELECT 1 FROM images i WHERE i.build_id = ${builds.id} AND i.status = 'DELETED')))`;

const ofToken = (accountId: string, clientToken: string) =>
  and(eq(builds.accountId, accountId), eq(builds.clientToken, clientToken));

/** The build that a client token stands for. */
export async function findByClientToken(
  db: Executor,
  accountId: string,
  clientToken: string,
  clientTokenHours: number,
): Promise<{ id: string; jobId: string; requestHash: string } | undefined> {
  const [first] = await db
    .select({ id: builds.id, jobId: builds.jobId, requestHash: builds.requestHash })
    .from(builds)
    .where(and(ofToken(accountId, clientToken), sql`NOT ${isSpent(clientTokenHours)}`));
  return first;
}
