import { openRandom, testStack } from '@kiln/kit/testing';
import { listImageQuery, listImagesQuery, listJobsQuery } from '@kiln/contract';
import { sql } from 'drizzle-orm';
import { createAccount } from '../accounts/provision.ts';
import { listJobs } from './jobs.ts';
import { listModelArtsImages, listPaiImages } from './images.ts';
import { openRememberedLists } from './remembered.ts';
import { sweepTallies } from '../sweeps/sweeps.ts';
import { openTestDatabase } from '../testing/index.ts';

let database: Awaited<ReturnType<typeof openTestDatabase>>;
let account: Awaited<ReturnType<typeof createAccount>>;
beforeAll(async () => {
  database = await openTestDatabase(testStack().postgresUrl);
  account = await createAccount(database.db, 'lists');
});
afterAll(() => database.close());

// So that a failure can be seen again.
const generator = openRandom(7);
const random = (below: number): number => generator.int(0, below - 1);
const pick = <T>(values: readonly T[]): T => values[random(values.length)] as T;
const users = ['u1', 'u2'];

const addImage = (n: number) =>
  database.db.execute(sql`
    INSERT INTO images (id, pai_id, account_id, project_id, workspace_id, user_id, name, host, repository, tag, visibility, arch,
      resource_categories, service_type, services, status, via, size_bytes, created_at)
    VALUES (gen_random_uuid(), ${`image-${n}`}, ${account.id}, ${account.projectId}, ${account.workspaceId}, ${pick(users)},
      ${`${pick(['torch', 'jax'])}-${n}`}, 'h', ${`ml/repo-${random(3)}`}, ${`v${n}`}, ${pick(['PUBLIC', 'PRIVATE'])}, 'X86_64',
      '{CPU}', ${pick(['TRAIN', 'DEV'])}, '{SSH}', ${pick(['INIT', 'ACTIVE', 'ACTIVE', 'CREATE_FAILED'])}, 'modelarts', ${random(5)},
      now() - ${random(100)} * interval '1 minute')`);
const addBuild = (n: number) => {
  const state = pick(['queued', 'failed', 'succeeded', 'expired']);
  return database.db.execute(sql`
    INSERT INTO builds (id, job_id, account_id, project_id, workspace_id, user_id, request_hash, request, display_name, image_name,
      registry_connection_id, host, repository, tag, overwrite, accessibility, state, phase, finished_at, created_at)
    VALUES (${`build-${String(n).padStart(6, '0')}`}, ${`dlc-${n}`}, ${account.id}, ${account.projectId}, ${account.workspaceId},
      ${pick(users)}, '', '{"resources": {}}', ${`${pick(['nightly', 'Release'])}-${n}`}, ${`image-${n}`}, 'c', 'h', 'r', ${`t${n}`}, false,
      ${pick(['PUBLIC', 'PRIVATE'])}, ${state}, 'wait', ${state === 'queued' ? null : new Date()},
      now() - ${random(12 * 24)} * interval '1 hour')`);
};

/** Some change that a list may show. */
async function change(n: number): Promise<void> {
  const { db } = database;
  const anImage = sql`id = (SELECT id FROM images ORDER BY md5(id::text || ${n}::text) LIMIT 1)`;
  const aBuild = sql`id = (SELECT id FROM builds ORDER BY md5(id || ${n}::text) LIMIT 1)`;
  await pick([
    () => addImage(n),
    () => addBuild(n),
    () => db.execute(sql`UPDATE images SET status = 'DELETED', updated_at = now() WHERE ${anImage}`),
    () => db.execute(sql`UPDATE images SET status = 'ACTIVE', updated_at = now() WHERE status = 'INIT' AND ${anImage}`),
    () => db.execute(sql`UPDATE images SET visibility = 'PUBLIC', updated_at = now() WHERE ${anImage}`),
    () =>
      db.execute(sql`UPDATE builds SET state = 'cancelled', finished_at = now() WHERE state = 'queued' AND ${aBuild}`),
    () => db.execute(sql`UPDATE builds SET job_deleted_at = now() WHERE state <> 'queued' AND ${aBuild}`),
    () => db.execute(sql`DELETE FROM builds WHERE finished_at IS NOT NULL AND ${aBuild}`),
    () => sweepTallies(db),
  ])();
}

const viewers = [
  { role: 'admin', userId: 'u1' },
  { role: 'developer', userId: 'u1' },
  { role: 'developer', userId: 'u2' },
] as const;
const when = (days: number) => new Date(Date.now() - days * 86_400_000).toISOString();

it('lists and counts what is there, whatever was remembered before', async () => {
  const { db } = database;
  const remembered = openRememberedLists();
  for (let n = 0; n < 40; n += 1) await Promise.all([addImage(n), addBuild(n)]);
  for (let n = 40; n < 240; n += 1) {
    await change(n);
    const scope = { viewer: { accountId: account.id, ...pick(viewers) }, workspaceIds: [account.workspaceId] };
    const { role, userId } = scope.viewer;

    const pai = { Name: pick([undefined, 'TORCH']), Accessibility: pick([undefined, 'PUBLIC']), Order: pick(['ASC', 'DESC']), PageSize: '100' }; // prettier-ignore
    const shown = await listPaiImages(
      db,
      remembered,
      scope,
      listImagesQuery.parse({ ...pai, WorkspaceId: account.workspaceId }),
    );
    const { rows: images } = await db.execute<{ id: string }>(sql`
      SELECT id FROM images WHERE status IN ('ACTIVE', 'ERROR') AND (${role} = 'admin' OR visibility = 'PUBLIC' OR user_id = ${userId})
        AND (${pai.Name ?? null}::text IS NULL OR name ILIKE '%torch%') AND (${pai.Accessibility ?? null}::text IS NULL OR visibility = 'PUBLIC')
      ORDER BY created_at, id`);
    const order = pai.Order === 'ASC' ? images : images.reverse();
    expect(shown.images.map((it) => it.id)).toEqual(order.map((it) => it.id));
    expect(shown.total).toBe(images.length);

    const huawei = { service_type: pick([undefined, 'DEV']), sort_key: pick(['create_at', 'size,name']), limit: '7', offset: pick(['0', '7']) }; // prettier-ignore
    const page = await listModelArtsImages(db, remembered, scope, listImageQuery.parse(huawei));
    const { rows: expected } = await db.execute<{ id: string }>(sql`
      SELECT id FROM images WHERE status <> 'DELETED' AND (${role} = 'admin' OR visibility = 'PUBLIC' OR user_id = ${userId})
        AND (${huawei.service_type ?? null}::text IS NULL OR service_type = 'DEV')
      ORDER BY CASE WHEN ${huawei.sort_key} = 'create_at' THEN created_at END DESC,
        CASE WHEN ${huawei.sort_key} <> 'create_at' THEN size_bytes END DESC, CASE WHEN ${huawei.sort_key} <> 'create_at' THEN name END DESC, id DESC`);
    const from = Number(huawei.offset);
    expect(page.images.map((it) => it.id)).toEqual(expected.slice(from, from + 7).map((it) => it.id));
    expect(page.total).toBe(expected.length);

    const dlc = { Status: pick([undefined, 'Failed', 'Queuing']), DisplayName: pick([undefined, 'REL']), ShowOwn: pick(['true', 'false']), StartTime: pick([undefined, when(3), when(30)]), EndTime: pick([undefined, when(2), when(2.01)]), PageSize: '5', PageNumber: pick(['1', '2']) }; // prettier-ignore
    const jobs = await listJobs(db, remembered, scope, listJobsQuery.parse(dlc));
    const { rows: found } = await db.execute<{ id: string }>(sql`
      SELECT id FROM builds WHERE job_deleted_at IS NULL AND (${role} = 'admin' OR accessibility = 'PUBLIC' OR user_id = ${userId})
        AND (${dlc.ShowOwn} = 'false' OR user_id = ${userId}) AND (${dlc.DisplayName ?? null}::text IS NULL OR display_name ILIKE '%rel%')
        AND (${dlc.Status ?? null}::text IS NULL OR CASE WHEN ${dlc.Status ?? ''} = 'Failed' THEN state IN ('failed', 'expired', 'timed_out') ELSE state = 'queued' END)
        AND created_at >= coalesce(${dlc.StartTime ?? null}::timestamptz, date_trunc('minute', now()) - interval '7 days')
        AND created_at <= coalesce(${dlc.EndTime ?? null}::timestamptz, 'infinity') ORDER BY created_at DESC, id DESC`);
    const start = (Number(dlc.PageNumber) - 1) * 5;
    expect({ dlc, ids: jobs.jobs.map((it) => it.id) }).toEqual({
      dlc,
      ids: found.slice(start, start + 5).map((it) => it.id),
    });
    expect({ dlc, total: jobs.total }).toEqual({ dlc, total: found.length });
  }
});

it('remembers until the list changes', async () => {
  const remembered = openRememberedLists();
  let asked = 0;
  const ask = () => {
    asked += 1;
    return Promise.resolve({ text: 'aabb', count: 2 });
  };
  await Promise.all([remembered.get('v1', 'k', ask), remembered.get('v1', 'k', ask)]);
  await remembered.get('v1', 'k', ask);
  expect(asked).toBe(1);
  await remembered.get('v2', 'k', ask);
  await remembered.get('v1', 'other', ask);
  expect(asked).toBe(3);
});
