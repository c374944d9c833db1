import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { eventually } from '@kiln/kit/testing';
import { listQueueBuilders } from '@kiln/persistence';
import { openTestKiln, type TestKiln } from '@kiln/stack/testing';

let kiln: TestKiln;
beforeAll(async () => {
  kiln = await openTestKiln({ env: { KILN_BUILDER_SLOTS: '1', KILN_WARM_ROOMS: '1' } });
  for (const n of [1, 2]) kiln.start('builder', { KILN_BUILDER_DIR: join(kiln.env['KILN_BUILDER_DIR'] ?? '', `../b${n}`) });
  await eventually(async () => ((await listQueueBuilders(kiln.database.db)).length === 3 || undefined), 'three builders to take builds');
}); // prettier-ignore
afterAll(() => kiln.stop());

const builders = async () => {
  const { rows } = await kiln.database.db.$client.query<{ name: string; pid: number }>(
    `SELECT name, split_part(name, '-', -2)::int AS pid FROM workers WHERE app = 'builder' AND seen_at > now() - interval '10 s'`,
  );
  return rows;
};
const submit = async (run = 'true') => {
  const unique = randomBytes(4).toString('hex');
  return (await kiln.submit(kiln.buildRequest(`FROM ${kiln.base}\nRUN true\nRUN ${run} # ${unique}\n`))).ImageBuildId;
};
const attemptOf = async (id: string) => {
  const build = await kiln.ended(id);
  expect(build.State).toBe('succeeded');
  return build.Attempts.at(-1) as { Worker: string; Placement?: string; HeldSeconds?: number };
};

it('sends the builds of an account to the builder that has its cache, and elsewhere when that stays busy', async () => {
  const first = await attemptOf(await submit());
  expect(first.Placement).toBe('cold');
  await eventually(() => hasCaches(first.Worker), 'the builder to have written down its cache');
  for (let n = 0; n < 4; n += 1)
    expect(await attemptOf(await submit())).toMatchObject({ Worker: first.Worker, Placement: 'warm' });
  // What the cache is worth: of a second at least, however quick this machine is.
  await kiln.database.db.$client.query('UPDATE account_turns SET warm_seconds = 1, cold_seconds = 5');
  const long = await submit('sleep 20');
  await eventually(async () => ((await attemptsUnderWay(long)) ? true : undefined), 'the long build to run');
  const spilled = await attemptOf(await submit());
  expect(spilled.Placement).toBe('spilled');
  expect(spilled.Worker).not.toBe(first.Worker);
  expect(spilled.HeldSeconds).toBeGreaterThanOrEqual(1.1);
  expect(spilled.HeldSeconds).toBeLessThan(12);
  expect((await attemptOf(long)).Worker).toBe(first.Worker);
});

// It is written down once the image is pushed, beside what ends the build.
const hasCaches = async (worker: string) => {
  const { rowCount } = await kiln.database.db.$client.query(
    `SELECT 1 FROM worker_caches WHERE worker = $1 AND cache_key <> ''`,
    [worker],
  );
  return (rowCount ?? 0) > 0 || undefined;
};
const attemptsUnderWay = async (id: string) => {
  const { body } = await kiln.pai('GET', `/api/v1/imagebuilds/${id}`);
  return body.State === 'running';
};

it('lets another builder have a build when the one that it is meant for does not answer', async () => {
  const { Worker } = await attemptOf(await submit());
  const stopped = (await builders()).find((it) => it.name === Worker)?.pid ?? 0;
  process.kill(stopped, 'SIGSTOP');
  try {
    const moved = await attemptOf(await submit());
    expect(moved.Worker).not.toBe(Worker);
  } finally {
    process.kill(stopped, 'SIGCONT');
  }
});

it('goes on where the cache was lost with its builder', async () => {
  const { Worker } = await attemptOf(await submit());
  process.kill((await builders()).find((it) => it.name === Worker)?.pid ?? 0, 'SIGKILL');
  const next = await attemptOf(await submit());
  expect(next.Worker).not.toBe(Worker);
});

it('shows the queue of each builder', async () => {
  const ready = (await (await fetch(`${kiln.url}/readyz`)).json()) as { queues: Record<string, unknown> };
  const queues = Object.keys(ready.queues).filter((it) => it.startsWith('image-build@'));
  const names = (await builders()).map((it) => `image-build@${it.name}`);
  expect(queues.length).toBeGreaterThanOrEqual(2);
  expect(names).toEqual(expect.arrayContaining(queues));
});
