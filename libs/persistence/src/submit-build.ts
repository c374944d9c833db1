import { sql } from 'drizzle-orm';
import { type Executor } from './database.ts';
import { announceBuild } from './outbox.ts';
import { type BuildSpec } from './tables/builds.ts';

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
}

export type SubmitOutcome =
  | { outcome: 'accepted' }
  | { outcome: 'token-used'; id: string; jobId: string; requestHash: string }
  | { outcome: 'name-taken' };

/**
 * Accepts a build: row, first event and announcement in one statement, hence one commit and one round trip.
 * A refused build writes nothing and leaves its client token unused. When two requests with one token race,
 * the loser waits for the winner's commit and then reads what it wrote.
 */
export async function submitBuild(db: Executor, build: NewBuild): Promise<SubmitOutcome> {
  const { Image, OverwriteImageTag, Accessibility } = build.spec;
  const announcement = announceBuild(build.id, 0);
  const { rowCount } = await db.execute(sql`
    WITH accepted AS (
      INSERT INTO builds (id, job_id, account_id, project_id, workspace_id, user_id, client_token, request_hash, spec,
        registry_auths_sealed, display_name, image_name, registry_connection_id, host, repository, tag, overwrite,
        accessibility, state, phase)
      SELECT ${build.id}, ${build.jobId}, ${build.accountId}, ${build.projectId}, ${build.workspaceId}, ${build.userId},
        ${build.clientToken}::text, ${build.requestHash}, ${JSON.stringify(build.spec)}::jsonb, ${build.registryAuthsSealed}::text,
        ${build.displayName}, ${Image.Name}, ${build.registryConnectionId}, ${build.host}, ${build.repository}, ${build.tag},
        ${OverwriteImageTag}::boolean, ${Accessibility}, 'queued', 'wait'
      WHERE NOT EXISTS (SELECT 1 FROM images WHERE workspace_id = ${build.workspaceId} AND name = ${Image.Name}
        AND status NOT IN ('DELETED', 'CREATE_FAILED'))
      ON CONFLICT DO NOTHING RETURNING id
    ), event AS (
      INSERT INTO build_events (build_id, state, attempt, message) SELECT id, 'queued', 0, 'accepted' FROM accepted
    ), told AS (
      INSERT INTO outbox (topic, key, payload)
      SELECT ${announcement.topic}, ${announcement.key}, ${JSON.stringify(announcement.payload)}::jsonb FROM accepted
    )
    SELECT id FROM accepted`);
  if (rowCount === 1) return { outcome: 'accepted' };
  if (build.clientToken !== null) {
    const { rows } = await db.execute<{ id: string; job_id: string; request_hash: string }>(
      sql`SELECT id, job_id, request_hash FROM builds WHERE account_id = ${build.accountId} AND client_token = ${build.clientToken}`,
    );
    const first = rows[0];
    if (first) return { outcome: 'token-used', id: first.id, jobId: first.job_id, requestHash: first.request_hash };
  }
  return { outcome: 'name-taken' };
}
