import { sql } from 'drizzle-orm';
import { type BuildBench, openBuildBench } from '../testing/build-bench.ts';
import { expireContext, findContext, forgetContexts, listContexts, putContext } from './contexts.ts';

let bench: BuildBench;
beforeAll(async () => {
  bench = await openBuildBench();
});
afterAll(() => bench.close());

const keep = (id: string, hours = 1) =>
  putContext(bench.db, { accountId: bench.account.id, id, files: 2, bytes: 5 * 2 ** 30, archive: `a-${id}` }, hours);
/** Has a build copy from a context. */
const use = (buildId: string, id: string) =>
  bench.db.execute(
    sql`UPDATE builds SET request = request || ${JSON.stringify({ context: { id } })}::jsonb WHERE id = ${buildId}`,
  );

it('keeps a context for longer when it comes again, and knows it by its archive', async () => {
  const first = await keep('one');
  expect(first).toMatchObject({ files: 2, bytes: 5 * 2 ** 30, archive: 'a-one' });
  const second = await putContext(bench.db, { accountId: bench.account.id, id: 'one', files: 2, bytes: 1 }, 48);
  expect(second.createdAt).toEqual(first.createdAt);
  expect(second.expiresAt.getTime() - first.expiresAt.getTime()).toBeGreaterThan(40 * 3_600_000);
  expect((await keep('one')).expiresAt).toEqual(second.expiresAt);
  expect(await findContext(bench.db, bench.account.id, { archive: 'a-one' })).toMatchObject({ id: 'one' });
  expect(await findContext(bench.db, 'another', { archive: 'a-one' })).toBeUndefined();
});

it('forgets contexts whose time is over, but for those that builds or images of the catalogue need', async () => {
  for (const it of ['running', 'image', 'failed', 'nobody', 'fresh']) await keep(it);
  for (const it of ['running', 'image', 'failed', 'nobody'])
    expect(await expireContext(bench.db, bench.account.id, it)).toBe(true);
  expect(await expireContext(bench.db, 'another', 'fresh')).toBe(false);
  const [running, image, failed] = [await bench.claimed(), await bench.claimed(), await bench.claimed()];
  await use(running.id, 'running');
  await use(image.id, 'image');
  await use(failed.id, 'failed');
  await bench.db.execute(sql`ALTER TABLE builds DISABLE TRIGGER USER`);
  await bench.db.execute(sql`UPDATE builds SET state = 'failed' WHERE id = ${failed.id}`);
  await bench.db.execute(sql`UPDATE builds SET state = 'succeeded' WHERE id = ${image.id}`);
  await bench.db.execute(sql`ALTER TABLE builds ENABLE TRIGGER USER`);
  const { id: account, projectId, workspaceId, userId } = bench.account;
  await bench.db.execute(sql`
    INSERT INTO images (id, pai_id, account_id, project_id, workspace_id, user_id, name, host, repository, tag, visibility,
      arch, resource_categories, services, status, via, build_id)
    VALUES (gen_random_uuid(), 'p', ${account}, ${projectId}, ${workspaceId}, ${userId}, 'n', 'r', 'a/b', 't', 'PRIVATE',
      'X86_64', '{}', '{}', 'ACTIVE', 'pai', ${image.id})`);
  const left = await forgetContexts(bench.db);
  expect([...(left.get(bench.account.id) ?? [])].sort()).toEqual(['fresh', 'image', 'one', 'running']);
  await bench.db.execute(sql`DELETE FROM images WHERE build_id = ${image.id}`);
  expect([...((await forgetContexts(bench.db)).get(bench.account.id) ?? [])].sort()).toEqual([
    'fresh',
    'one',
    'running',
  ]);
  expect((await listContexts(bench.db, bench.account.id, 10)).map((it) => it.id)).toContain('fresh');
});
