import { eventually } from '@kiln/kit/testing';
import { logTail, startApp } from '@kiln/stack';
import { openTestKiln, type TestKiln } from '@kiln/stack/testing';

let kiln: TestKiln;
beforeAll(async () => {
  // An address at which nothing answers: whoever asked Redis for anything would fail.
  kiln = await openTestKiln({ env: { KILN_QUEUE: 'postgres', KILN_REDIS_URL: 'redis://127.0.0.1:1' } });
});
afterAll(() => kiln.stop());

const stateOf = async (buildId: string): Promise<string> =>
  (await kiln.pai('GET', `/api/v1/imagebuilds/${buildId}`)).body.State;
const until = (buildId: string, state: string) =>
  eventually(async () => ((await stateOf(buildId)) === state ? true : undefined), `${buildId} to be ${state}`);
const sleeping = () => kiln.submit(kiln.buildRequest(`FROM ${kiln.base}\nRUN echo begun; sleep 600\n`));

describe('a Kiln whose queues are in PostgreSQL', () => {
  it('builds, publishes and verifies', async () => {
    const { ImageBuildId } = await kiln.submit(kiln.buildRequest(`FROM ${kiln.base}\nRUN echo hello > /hello\n`));
    const build = await kiln.ended(ImageBuildId);
    expect(build).toMatchObject({ State: 'succeeded', Attempt: 1 });
    expect(build.Digest).toMatch(/^sha256:/);
  });

  it('says that it is ready, and nothing of Redis', async () => {
    const ready = await (await fetch(`${kiln.url}/readyz`)).json();
    expect(ready).toMatchObject({ status: 'ok', postgres: 'up', queues: { 'image-build': {}, 'image-register': {} } });
    expect(ready).not.toHaveProperty('redis');
  });

  it('cancels a running build at once', async () => {
    const { ImageBuildId } = await sleeping();
    await until(ImageBuildId, 'running');
    const asked = Date.now();
    await kiln.pai('POST', `/api/v1/imagebuilds/${ImageBuildId}/cancel`);
    expect(await kiln.ended(ImageBuildId)).toMatchObject({ State: 'cancelled' });
    expect(Date.now() - asked).toBeLessThan(30_000);
  });

  it('leaves no job behind', async () => {
    const jobs = () => kiln.database.db.$client.query('SELECT id FROM bullmq.job');
    await eventually(async () => ((await jobs()).rowCount === 0 ? true : undefined), 'all jobs to be gone');
  });

  it('builds again what a killed builder left, and goes on after every connection was ended', async () => {
    const { ImageBuildId } = await sleeping();
    await until(ImageBuildId, 'running');
    kiln.running('builder').signal('SIGKILL');
    await until(ImageBuildId, 'queued');
    await kiln.database.db.$client.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`,
    );
    kiln.start('builder');
    await until(ImageBuildId, 'running');
    await kiln.pai('POST', `/api/v1/imagebuilds/${ImageBuildId}/cancel`);
    expect(await kiln.ended(ImageBuildId)).toMatchObject({ State: 'cancelled', Attempt: 2 });
    const { ImageBuildId: next } = await kiln.submit(kiln.buildRequest(`FROM ${kiln.base}\nRUN echo next > /next\n`));
    expect(await kiln.ended(next)).toMatchObject({ State: 'succeeded' });
  });
});

it('refuses to start without an address of Redis where the queue is Redis', async () => {
  const { KILN_REDIS_URL: _left, ...env } = kiln.env;
  const registrar = startApp(kiln.stack.dir, 'registrar', { ...env, KILN_QUEUE: 'redis' }, 'without-redis');
  expect(await registrar.ended).not.toBe(0);
  expect(logTail(registrar)).toContain('KILN_REDIS_URL: is needed; or set KILN_QUEUE=postgres');
});
