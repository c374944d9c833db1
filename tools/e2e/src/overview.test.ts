import { eventually } from '@kiln/kit/testing';
import { openTestKiln, type TestKiln } from '@kiln/stack/testing';

let kiln: TestKiln;
beforeAll(async () => {
  // Below, a build is made to look as if it had waited for hours.
  kiln = await openTestKiln({ env: { KILN_QUEUE_CLOCK_S: '36000' } });
});

afterAll(() => kiln.stop());

it('an overview counts what runs, waits, ended and why, and how that was before', async () => {
  const build = async (step: string) =>
    (await kiln.submit(kiln.buildRequest(`FROM ${kiln.base}\nRUN ${step}\n`))).ImageBuildId;
  await kiln.ended(await build('true'));
  await kiln.ended(await build('no-such-command'));
  const slow = [];
  for (let n = 0; n < 3; n += 1) slow.push(await build(`: ${Math.random()}; sleep 60`));
  const look = async (hours: string) => (await kiln.pai('GET', '/api/v1/overview', { query: { Hours: hours } })).body;
  const seen = await eventually(async () => {
    const it = await look('6');
    return it.Live.running === 2 && it.Live.queued === 1 && it.Pools[0]?.Busy === 2 ? it : undefined;
  }, 'two to run and one to wait');
  expect(seen.OldestWaitingSeconds).toBeGreaterThanOrEqual(0);
  expect(seen.MedianSeconds).toBeGreaterThan(0);
  expect(seen.Failures).toEqual([{ Code: 'StepFailed', Reason: 'CommandNotFound', Count: 1 }]);
  expect(seen.Pools).toEqual([{ Pool: '', Slots: 2, Busy: 2 }]);
  expect(seen.Pieces).toHaveLength(48);
  const sum = (name: string) => seen.Pieces.reduce((total: number, it: any) => total + it[name], 0);
  expect([sum('Succeeded'), sum('Failed'), sum('Cancelled')]).toEqual([1, 1, 0]);
  expect(seen.Pieces.at(-1)).toMatchObject({ Waiting: 1, Running: 2, OldestWaitingSeconds: expect.any(Number) });
  expect(seen.Pieces.at(-1).OldestWaitingSeconds).toBeGreaterThanOrEqual(0);
  expect(seen.Pieces.at(-1).OldestWaitingSeconds).toBeLessThan(300);
  // As if it had come five hours ago, when nobody could take it.
  await kiln.database.db.$client.query(
    `UPDATE builds SET created_at = created_at - interval '5 hours' WHERE state = 'queued'`,
  );
  await kiln.database.db.$client.query(
    `INSERT INTO slot_samples VALUES (now() - interval '2 hours', '', 4, 3), (now() - interval '2 hours', 'elsewhere', 2, 1)`,
  );
  const past = await look('7');
  // Pieces of 525 seconds: at the end of that two hours ago, it had waited for three.
  expect(past.Pieces[47 - 13].OldestWaitingSeconds / 3600).toBeGreaterThan(2.9);
  expect(past.Pieces[47 - 13].OldestWaitingSeconds / 3600).toBeLessThan(3.3);
  expect(past.Pieces[47 - 13]).toMatchObject({ Slots: 6, SlotsBusy: 4, Waiting: 1 });
  expect(past.Pieces[47 - 36]).toMatchObject({ OldestWaitingSeconds: 0, Waiting: 0 });
  // Nothing was there an hour ago.
  expect(seen.Pieces[20]).toMatchObject({ Waiting: 0, Running: 0, Succeeded: 0 });
  for (const id of slow) await kiln.pai('POST', `/api/v1/imagebuilds/${id}/cancel`);
  for (const id of slow) await kiln.ended(id);
  // Answers are remembered for three seconds; those of another period are others.
  const later = await look('5');
  expect(later.Live).toEqual({});
  expect(later.Pieces.at(-1)).toMatchObject({ Waiting: 0, Running: 0 });
  // They may have ended on both sides of a border between two pieces.
  expect(later.Pieces.at(-2).Cancelled + later.Pieces.at(-1).Cancelled).toBe(3);
});

it('a builder that an operator drains ends what it has and takes nothing new, until it may again', async () => {
  const { body: listed } = await kiln.pai('GET', '/api/v1/workers');
  const builder = listed.Workers.find((it: any) => it.App === 'builder');
  const slow = await kiln.submit(kiln.buildRequest(`FROM ${kiln.base}\nRUN : ${Math.random()}; sleep 8\n`));
  await eventually(async () => (await kiln.pai('GET', `/api/v1/imagebuilds/${slow.ImageBuildId}`)).body.State === 'running' || undefined, 'the build to run'); // prettier-ignore
  const path = `/api/v1/workers/${builder.Name as string}`;
  expect((await kiln.pai('PUT', path, { body: { Cordoned: true } })).status).toBe(200);
  await new Promise((resolve) => setTimeout(resolve, 4500));
  const waits = await kiln.submit(kiln.buildRequest(`FROM ${kiln.base}\nRUN : ${Math.random()}\n`));
  expect((await kiln.ended(slow.ImageBuildId)).State).toBe('succeeded');
  await new Promise((resolve) => setTimeout(resolve, 2000));
  const { body } = await kiln.pai('GET', `/api/v1/imagebuilds/${waits.ImageBuildId}`);
  expect(body).toMatchObject({ State: 'queued', Waiting: { Reason: 'NoBuilder' } });
  await kiln.admin(['cordon', builder.Name as string, '--undo']);
  expect((await kiln.ended(waits.ImageBuildId)).State).toBe('succeeded');
  expect((await kiln.pai('PUT', '/api/v1/workers/nobody', { body: { Cordoned: true } })).body.Code).toBe(
    'WorkerNotFound',
  );
});

it('a builder tells what it keeps of each account, and removes it when an operator wants that', async () => {
  const dockerfile = `FROM ${kiln.base}\nRUN : ${Math.random()}\n`;
  expect((await kiln.ended((await kiln.submit(kiln.buildRequest(dockerfile))).ImageBuildId)).State).toBe('succeeded');
  const account = kiln.account.accountId;
  const seen = async () => {
    const { body } = await kiln.pai('GET', '/api/v1/workers');
    return body.Workers.find((it: any) => it.App === 'builder' && it.Alive);
  };
  const cacheOf = (builder: any) => builder.Caches?.find((it: any) => it.Account === account);
  const builder = await eventually(async () => {
    const it = await seen();
    return it.WarmRooms > 0 && cacheOf(it) ? it : undefined;
  }, 'the cache to be told');
  expect(cacheOf(builder).Bytes).toBeGreaterThan(1 << 20);
  expect(builder.CacheBytes).toBeGreaterThanOrEqual(cacheOf(builder).Bytes);
  const path = `/api/v1/workers/${builder.Name as string}/caches/${account}`;
  expect((await kiln.pai('DELETE', path)).status).toBe(200);
  await eventually(async () => (cacheOf(await seen()) ? undefined : true), 'the cache to be gone');
  const again = await kiln.submit(kiln.buildRequest(dockerfile));
  await kiln.ended(again.ImageBuildId);
  expect(await kiln.logs(again.ImageBuildId)).not.toContain('CACHED');
  expect((await kiln.pai('DELETE', '/api/v1/workers/nobody/caches/x')).body.Code).toBe('WorkerNotFound');
});
