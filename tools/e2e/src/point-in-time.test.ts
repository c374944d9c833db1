import { randomUUID } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Secret } from '@kiln/kit';
import { eventually, testStack } from '@kiln/kit/testing';
import { openDatabase } from '@kiln/persistence';
import { archiveSettings, backUpPostgres, freePort, type Managed, startPostgres } from '@kiln/stack';
import { openSignedClient } from '@kiln/stack/client';
import { openTestKiln, type TestKiln } from '@kiln/stack/testing';

const stack = testStack();
const dir = join(stack.dir, `point-in-time-${randomUUID().slice(0, 8)}`);
const [before, after] = [join(dir, 'before'), join(dir, 'after')];
const password = randomUUID();
const servers: Managed[] = [];
let kiln: TestKiln;

const start = async (folder: string, settings: Record<string, string>, isStandby = false): Promise<string> => {
  mkdirSync(join(folder, 'logs'), { recursive: true });
  const { server, url } = await startPostgres(folder, {
    port: await freePort(),
    password,
    durable: true,
    settings,
    isStandby,
  });
  servers.push(server);
  return url;
};

beforeAll(async () => {
  const postgresUrl = await start(before, archiveSettings(before));
  const file = join(dir, 'stack.json');
  writeFileSync(file, JSON.stringify({ ...stack, postgresUrl }));
  process.env['KILN_TEST_STACK'] = file;
  kiln = await openTestKiln();
});
afterAll(async () => {
  await kiln.stop();
  for (const it of servers.reverse()) await it.stop();
});

it('PostgreSQL’s archive brings everything back as of a moment before a mistake', async () => {
  const build = async (client: Pick<TestKiln, 'pai'>, name: string) => {
    const request = kiln.buildRequest(`FROM ${kiln.base}\nRUN echo ${name}\n`, { image: { Name: name } });
    const { body } = await client.pai('POST', '/api/v1/imagebuilds', { body: request });
    return body.ImageBuildId as string;
  };
  const first = await build(kiln, `first-${randomUUID()}`);
  expect(await kiln.ended(first)).toMatchObject({ State: 'succeeded' });
  const settingsFor = await backUpPostgres(kiln.env.KILN_DATABASE_URL, after, before);
  // What comes after the backup is in the archive alone.
  const second = await build(kiln, `second-${randomUUID()}`);
  expect(await kiln.ended(second)).toMatchObject({ State: 'succeeded' });
  const { $client: client } = kiln.database.db;
  const { rows } = await client.query<{ now: string }>('SELECT clock_timestamp()::text AS now');
  const third = await build(kiln, `third-${randomUUID()}`);
  expect(await kiln.ended(third)).toMatchObject({ State: 'succeeded' });
  await client.query('TRUNCATE images, builds CASCADE');
  await client.query('SELECT pg_switch_wal()');
  for (const app of ['registrar', 'builder'] as const) {
    kiln.running(app).signal('SIGKILL');
    await kiln.running(app).ended;
  }

  const restored = new URL(await start(after, settingsFor(rows[0]?.now ?? ''), true));
  const database = new URL(kiln.env.KILN_DATABASE_URL);
  database.host = restored.host;
  Object.assign(kiln.env, {
    KILN_DATABASE_URL: database.href,
    KILN_REDIS_PREFIX: `test-restored-${randomUUID().slice(0, 8)}`,
    KILN_BUILDER_DIR: join(dir, 'builder'),
  });
  const is = openDatabase(new Secret(database.href), { connections: 1 });
  await eventually(
    async () => ((await is.db.$client.query('SELECT pg_is_in_recovery() AS it')).rows[0].it ? undefined : true),
    'the recovery to end',
  );
  await is.close();
  kiln.start('registrar');
  kiln.start('builder');
  const again = openSignedClient(await kiln.startApi({}), kiln.account);
  const look = async (id: string) => (await again.pai('GET', `/api/v1/imagebuilds/${id}`)).body;
  expect(await look(first)).toMatchObject({ State: 'succeeded' });
  expect(await look(second)).toMatchObject({ State: 'succeeded' });
  expect(await look(third)).toMatchObject({ Code: 'BuildNotFound' });
  const { body: images } = await again.pai('GET', '/api/v1/images', {
    query: { WorkspaceId: kiln.account.workspaceId },
  });
  expect(images.TotalCount).toBe(2);
  const next = await build(again, `next-${randomUUID()}`);
  await eventually(async () => ((await look(next)).State === 'succeeded' ? true : undefined), 'the next build', 60_000);
});
