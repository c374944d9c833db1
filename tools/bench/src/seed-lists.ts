import type { OpenDatabase } from '@kiln/persistence';
import { exampleRequest } from '@kiln/persistence/testing';
import type { BenchStack } from './bench-stack.ts';

/** How many images and builds the lists are measured with. */
export const seeded = 200_000;

/** Runs `work` while images that come to be are not asked to be read: there is nothing behind them. */
export async function withoutReading({ db }: OpenDatabase, work: () => Promise<void>): Promise<void> {
  await db.$client.query('ALTER TABLE images DISABLE TRIGGER want_inspection');
  await work().finally(() => db.$client.query('ALTER TABLE images ENABLE TRIGGER want_inspection'));
}

/**
 * Fills one account with images (in 5,000 repositories, two labels each) and builds (spread over 60 days), as a busy
 * platform would have them after a year: those after number `from` up to number `until`.
 */
export async function seedLists(
  { database, account, registryHost }: BenchStack,
  from = 0,
  until = seeded,
): Promise<void> {
  const run = (text: string, values: unknown[] = []) => database.db.$client.query(text, values);
  const { accountId, projectId, workspaceId, userId } = account;
  const whose = [accountId, projectId, workspaceId, userId, registryHost];
  // A statement may take half a minute at most.
  const most = 20_000;
  const batches = Array.from(
    { length: Math.ceil((until - from) / most) },
    (_, n) => [from + n * most + 1, Math.min(until, from + (n + 1) * most)] as const,
  );
  await withoutReading(database, async () => {
    for (const batch of batches)
      await run(
        `INSERT INTO images (id, pai_id, account_id, project_id, workspace_id, user_id, name, host, repository, tag, description,
       visibility, arch, resource_categories, service_type, services, status, digest, size_bytes, via, created_at, updated_at)
     SELECT gen_random_uuid(), 'image-' || lpad(n::text, 18, '0'), $1, $2, $3, $4,
       (ARRAY['torch', 'tensorflow', 'jax', 'xgboost', 'sklearn'])[1 + n % 5] || '-train-' || n, $5, 'ml/repo-' || n % 5000,
       'v' || n / 5000, 'trained on ' || md5(n::text), CASE n % 4 WHEN 0 THEN 'PUBLIC' ELSE 'PRIVATE' END, 'X86_64', '{CPU}',
       (ARRAY['COMMON', 'INFERENCE', 'TRAIN', 'DEV'])[1 + n % 4], '{NOTEBOOK}', 'ACTIVE', 'sha256:' || md5(n::text), n * 1000,
       'modelarts', now() - n * interval '2 minutes', now() - n * interval '1 minute'
     FROM generate_series($6::int, $7::int) AS n`,
        [...whose, ...batch],
      );
  });
  for (const batch of batches)
    await run(
      `INSERT INTO image_labels (image_id, key, value)
     SELECT id, it.* FROM images, LATERAL (VALUES
       ('system.chipType', CASE size_bytes / 1000 % 2 WHEN 0 THEN 'GPU' ELSE 'CPU' END),
       ('team', 'team-' || size_bytes / 1000 % 1000)) it
     WHERE pai_id BETWEEN 'image-' || lpad($1::text, 18, '0') AND 'image-' || lpad($2::text, 18, '0')`,
      [...batch],
    );
  for (const batch of batches)
    await run(
      `INSERT INTO builds (id, job_id, account_id, project_id, workspace_id, user_id, request_hash, request, display_name, image_name,
       registry_connection_id, host, repository, tag, overwrite, accessibility, state, phase, attempt, created_at, started_at, finished_at)
     SELECT 'build-' || lpad(n::text, 18, '0'), 'dlc-' || lpad(n::text, 18, '0'), $1, $2, $3, $4, '',
       $8::jsonb,
       (ARRAY['nightly', 'release', 'experiment'])[1 + n % 3] || '-' || n, 'image-' || n, 'cri-local', $5, 'ml/repo-' || n % 5000,
       'b' || n, false, CASE n % 4 WHEN 0 THEN 'PUBLIC' ELSE 'PRIVATE' END,
       CASE WHEN n % 10 = 0 THEN 'failed' WHEN n % 1000 = 1 THEN 'cancelled' ELSE 'succeeded' END, 'tag', 1,
       now() - n * interval '26 seconds', now() - n * interval '25 seconds', now() - n * interval '24 seconds'
     FROM generate_series($6::int, $7::int) AS n`,
      [...whose, ...batch, JSON.stringify(exampleRequest)],
    );
  // What autovacuum does by itself within minutes.
  await run('VACUUM ANALYZE images, image_labels, image_groups, builds, tallies');
}
