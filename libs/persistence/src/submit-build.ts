import { traceparent } from '@kiln/kit';
import { type Lane, type Lineage } from '@kiln/schemas';
import { and, eq } from 'drizzle-orm';
import { type Database, type Executor, runPrepared } from './database.ts';
import { builds, type BuildSpec } from './tables/builds.ts';
import { heldStatus } from './tables/images.ts';

export interface NewBuild {
  id: string;
  jobId: string;
  accountId: string;
  projectId: string;
  workspaceId: string;
  userId: string;
  clientToken: string | null;
  requestHash: string;
  spec: BuildSpec;
  registryAuthsSealed: string | null;
  displayName: string;
  registryConnectionId: string;
  host: string;
  repository: string;
  tag: string;
  lane: Lane;
  /** The builders that may take it; empty for those of the common pool. */
  pool: string;
  /** The build that this one does again. */
  parent?: { id: string; lineage: Lineage };
  /** Where its image is already, if its parent left it. */
  kept?: { on: string; image: string };
}

export type SubmitOutcome =
  | { outcome: 'accepted' }
  | { outcome: 'token-used'; id: string; jobId: string; requestHash: string }
  | { outcome: 'name-taken' };

// One statement, hence one commit and one round trip.
const statement = `
  WITH accepted AS (
    INSERT INTO builds (id, job_id, account_id, project_id, workspace_id, user_id, client_token, request_hash, spec,
      registry_auths_sealed, display_name, image_name, registry_connection_id, host, repository, tag, overwrite,
      accessibility, lane, parent_id, lineage, kept_on, kept_image, pool, trace, state, phase)
    SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, 'queued', 'wait'
    WHERE NOT EXISTS (SELECT 1 FROM images WHERE workspace_id = $5 AND name = $12 AND ${heldStatus})
    ON CONFLICT DO NOTHING RETURNING id
  ), event AS (
    INSERT INTO build_events (build_id, state, attempt, message) SELECT id, 'queued', 0, coalesce($21 || ' of ' || $20, 'accepted') FROM accepted
  )
  SELECT id FROM accepted`;

/**
 * Accepts a build into the waiting room: row and first event together. A refused build writes nothing and leaves its client token
 * unused. When two requests with one token race, the loser waits for the winner's commit and then reads what it wrote.
 */
export async function submitBuild(db: Database, build: NewBuild): Promise<SubmitOutcome> {
  const { Image, OverwriteImageTag, Accessibility } = build.spec;
  const { rowCount } = await runPrepared(db, 'submit-build', statement, [
    build.id,
    build.jobId,
    build.accountId,
    build.projectId,
    build.workspaceId,
    build.userId,
    build.clientToken,
    build.requestHash,
    JSON.stringify(build.spec),
    build.registryAuthsSealed,
    build.displayName,
    Image.Name,
    build.registryConnectionId,
    build.host,
    build.repository,
    build.tag,
    OverwriteImageTag,
    Accessibility,
    build.lane,
    build.parent?.id ?? null,
    build.parent?.lineage ?? null,
    build.kept?.on ?? null,
    build.kept?.image ?? null,
    build.pool,
    traceparent(),
  ]);
  if (rowCount === 1) return { outcome: 'accepted' };
  const first =
    build.clientToken === null ? undefined : await findByClientToken(db, build.accountId, build.clientToken);
  return first ? { outcome: 'token-used', ...first } : { outcome: 'name-taken' };
}

/** The build that a client token was used for. */
export async function findByClientToken(
  db: Executor,
  accountId: string,
  clientToken: string,
): Promise<{ id: string; jobId: string; requestHash: string } | undefined> {
  const [first] = await db
    .select({ id: builds.id, jobId: builds.jobId, requestHash: builds.requestHash })
    .from(builds)
    .where(and(eq(builds.accountId, accountId), eq(builds.clientToken, clientToken)));
  return first;
}
