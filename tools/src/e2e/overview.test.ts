import { eventually } from '@kiln/kit/testing';
import { openTestKiln, type TestKiln } from './kiln.ts';

let kiln: TestKiln;
beforeAll(async () => {
  kiln = await openTestKiln();
}, 60_000);
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
  expect(seen.Pieces.at(-1)).toMatchObject({ Waiting: 1, Running: 2 });
  // Nothing was there an hour ago.
  expect(seen.Pieces[20]).toMatchObject({ Waiting: 0, Running: 0, Succeeded: 0 });
  for (const id of slow) await kiln.pai('POST', `/api/v1/imagebuilds/${id}/cancel`);
  for (const id of slow) await kiln.ended(id);
  // Answers are remembered for three seconds; those of another period are others.
  const later = await look('5');
  expect(later.Live).toEqual({});
  expect(later.Pieces.at(-1)).toMatchObject({ Waiting: 0, Running: 0, Cancelled: 3 });
}, 60_000);
