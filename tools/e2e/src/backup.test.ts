import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { eventually } from '@kiln/kit/testing';
import { program, root } from '@kiln/stack';
import { openSignedClient } from '@kiln/stack/client';
import { openTestKiln, type TestKiln } from '@kiln/stack/testing';

const run = promisify(execFile);

let kiln: TestKiln;
beforeAll(async () => {
  kiln = await openTestKiln();
});
afterAll(() => kiln.stop());

const stateOf = async (id: string): Promise<string> =>
  (await kiln.pai('GET', `/api/v1/imagebuilds/${id}`)).body.State as string;

it('a dump of PostgreSQL brings everything back: catalogue, keys, logs, and builds in every live state', async () => {
  const build = (step: string) => kiln.submit(kiln.buildRequest(`FROM ${kiln.base}\nRUN ${step}\n`));
  const { ImageBuildId: done } = await build('echo in the log');
  expect(await kiln.ended(done)).toMatchObject({ State: 'succeeded' });

  // Without a registrar no pending build is admitted, so it goes once the others are under way.
  const { ImageBuildId: running } = await build('echo begun; sleep 6');
  const { ImageBuildId: pushed } = await build('sleep 3');
  await eventually(async () => ((await kiln.logs(running)).includes('begun\n') ? true : undefined), 'the step to run');
  await eventually(async () => ((await stateOf(pushed)) === 'running' ? true : undefined), 'the other one to run');
  const registrar = kiln.running('registrar');
  registrar.signal('SIGKILL');
  await registrar.ended;
  await eventually(async () => ((await stateOf(pushed)) === 'registering' ? true : undefined), 'the push');
  const { ImageBuildId: waiting } = await build('true');
  expect(await Promise.all([running, pushed, waiting].map(stateOf))).toEqual(['running', 'registering', 'queued']);

  const from = new URL(kiln.env.KILN_DATABASE_URL);
  const dump = join(kiln.stack.dir, `kiln-${randomUUID()}.dump`);
  await run(program('pg_dump'), ['--format=custom', `--file=${dump}`, from.href]);
  const builder = kiln.running('builder');
  builder.signal('SIGKILL');
  await builder.ended;

  const to = new URL(from);
  to.pathname = `/restored_${randomUUID().replaceAll('-', '')}`;
  const server = new URL(kiln.stack.postgresUrl);
  await run(program('psql'), [server.href, '--command', `CREATE DATABASE ${to.pathname.slice(1)}`]);
  await run(program('pg_restore'), ['--no-owner', '--no-privileges', `--dbname=${to.href}`, dump]);
  await run(process.execPath, [join(root, 'apps/admin/dist/main.js'), 'migrate'], {
    env: { ...process.env, ...kiln.env, KILN_DATABASE_URL: to.href },
  });
  // Another Redis, as far as Kiln can tell, and a builder that has never built anything.
  Object.assign(kiln.env, {
    KILN_DATABASE_URL: to.href,
    KILN_REDIS_PREFIX: `test-restored-${randomUUID().slice(0, 8)}`,
    KILN_BUILDER_DIR: join(kiln.stack.dir, `restored-${randomUUID()}`),
  });
  kiln.start('registrar');
  kiln.start('builder');
  const restored = openSignedClient(await kiln.startApi({}), kiln.account);
  const look = async (id: string) => (await restored.pai('GET', `/api/v1/imagebuilds/${id}`)).body;
  for (const id of [running, pushed, waiting])
    await eventually(
      async () => ((await look(id)).State === 'succeeded' ? true : undefined),
      `${id} to succeed`,
      60_000,
    );
  expect(await look(running)).toMatchObject({
    Attempt: 2,
    Attempts: [{ Outcome: 'worker died' }, { Outcome: 'pushed' }],
  });
  expect(await look(pushed)).toMatchObject({ Attempt: 1 });
  expect((await restored.pai('GET', `/api/v1/imagebuilds/${done}/logs`)).text).toContain('in the log');
  const query = { WorkspaceId: kiln.account.workspaceId };
  expect((await restored.pai('GET', '/api/v1/images', { query })).body.TotalCount).toBe(4);
});
