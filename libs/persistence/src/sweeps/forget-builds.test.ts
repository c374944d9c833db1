import { Secret } from '@kiln/kit';
import { sql } from 'drizzle-orm';
import { appendLog } from '../builds/build-work.ts';
import { readLogPiece } from '../builds/build-log.ts';
import { loadBuild } from '../builds/build-queries.ts';
import { moveBuild } from '../builds/move-build.ts';
import { openDatabase, type OpenDatabase } from '../db/database.ts';
import { appRoles } from '../schema/app-roles.ts';
import { type BuildBench, openBuildBench } from '../testing/build-bench.ts';
import { type EndedCursor, forgetBuilds } from './forget-builds.ts';

let bench: BuildBench;
/** As a registrar signs in. */
let registrar: OpenDatabase;
beforeAll(async () => {
  bench = await openBuildBench();
  const url = new URL(bench.url);
  url.searchParams.set('options', `-c role=${appRoles.registrar}`);
  registrar = openDatabase(new Secret(url.href), { connections: 2 });
});
afterAll(async () => {
  await registrar.close();
  await bench.close();
});

/** A build with a log of three lines that failed so many days ago. */
async function ended(daysAgo: number): Promise<string> {
  const build = await bench.claimed();
  for (const [seq, text] of ['one\ntwo', 'three'].entries())
    await appendLog(bench.db, build, {
      seq,
      firstLine: seq * 2,
      lineTimes: text.split('\n').map(() => 1),
      lineSteps: text.split('\n').map(() => 0),
      text,
    });
  await moveBuild(bench.db, { id: build.id, from: ['assigned'], to: 'failed', message: 'no', fence: build.fence });
  await bench.db.execute(
    sql`UPDATE builds SET finished_at = now() - make_interval(days => ${daysAgo}) WHERE id = ${build.id}`,
  );
  return build.id;
}
const logOf = async (id: string) => (await readLogPiece(bench.db, id, 1, 0)).map((it) => it.text);
const isThere = async (id: string) => (await loadBuild(bench.db, id)) !== undefined;
/** Looks at everything, as the sweeper does, piece by piece. */
async function forget(days: { logs: number; builds: number }): Promise<void> {
  let next: EndedCursor | undefined;
  do next = await forgetBuilds(registrar.db, days, next);
  while (next);
}

it('removes old logs but for one line, and old builds whose image is in no catalogue', async () => {
  const [young, middle, old, pictured] = [await ended(1), await ended(20), await ended(50), await ended(50)];
  const [image] = (
    await bench.db.execute<{ id: string }>(sql`
      INSERT INTO images (id, pai_id, account_id, project_id, workspace_id, user_id, name, host, repository, tag, visibility,
        arch, resource_categories, services, status, via, build_id)
      SELECT gen_random_uuid(), 'p', account_id, project_id, workspace_id, user_id, image_name, host, repository, tag,
        'PRIVATE', 'X86_64', '{}', '{}', 'ACTIVE', 'pai', id
      FROM builds WHERE id = ${pictured} RETURNING id`)
  ).rows;
  await forget({ logs: 10, builds: 40 });
  expect(await logOf(young)).toEqual(['one', 'two']);
  const line = ['kiln: this log was removed after 10 days'];
  expect(await logOf(middle)).toEqual(line);
  expect(await isThere(old)).toBe(false);
  expect(await logOf(pictured)).toEqual(line);
  const before = await readLogPiece(bench.db, middle, 1, 0);
  await bench.db.execute(sql`UPDATE images SET status = 'DELETED' WHERE id = ${image?.id}`);
  await bench.db.execute(sql`INSERT INTO tag_moves (host, repository, tag, seq, digest, build_id)
    VALUES ('r', 'a/b', 'moved', 1, 'sha256:1', ${pictured})`);
  await forget({ logs: 10, builds: 40 });
  // It is the last that set this tag.
  expect(await isThere(pictured)).toBe(true);
  await bench.db.execute(sql`INSERT INTO tag_moves (host, repository, tag, seq, digest, build_id)
    VALUES ('r', 'a/b', 'moved', 2, 'sha256:2', ${young})`);
  await forget({ logs: 10, builds: 40 });
  expect(await isThere(pictured)).toBe(false);
  expect(await readLogPiece(bench.db, middle, 1, 0)).toEqual(before);
  for (const table of ['build_attempts', 'build_events', 'build_log_chunks'])
    expect(
      (await bench.db.execute(sql`SELECT FROM ${sql.identifier(table)} WHERE build_id IN (${old}, ${pictured})`)).rows,
    ).toEqual([]);
});

it('keeps everything with 0, and comes to the end of many', async () => {
  const id = await ended(900);
  await forget({ logs: 0, builds: 0 });
  expect(await logOf(id)).toEqual(['one', 'two']);
  await bench.db.execute(sql`
    INSERT INTO builds (id, job_id, account_id, project_id, workspace_id, user_id, request_hash, request, display_name,
      image_name, registry_connection_id, host, repository, tag, overwrite, accessibility, state, phase, finished_at)
    SELECT b.id || '-' || n, b.job_id || '-' || n, account_id, project_id, workspace_id, user_id, request_hash, request,
      display_name, image_name, registry_connection_id, host, repository, tag, overwrite, accessibility, state, phase,
      -- Many at one moment, too.
      finished_at + (n / 400) * interval '1 minute'
    FROM builds b, generate_series(1, 1300) n WHERE b.id = ${id}`);
  await forget({ logs: 0, builds: 300 });
  const { rows } = await bench.db.execute(sql`SELECT FROM builds WHERE finished_at < now() - interval '300 days'`);
  expect(rows).toEqual([]);
});

it('lets nobody delete a build that has not ended', async () => {
  const { id } = await bench.newBuild();
  await expect(bench.db.execute(sql`DELETE FROM builds WHERE id = ${id}`)).rejects.toMatchObject({
    cause: { message: `build ${id} has not ended` },
  });
});
