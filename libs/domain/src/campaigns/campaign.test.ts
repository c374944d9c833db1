import { campaignName, type CampaignItem, type CampaignOutcome, basesFirst, nextStep } from './campaign.ts';

const pace = { ratePerHour: 60, canaryPercent: 20, stopPercent: 25 };
const item = (place: number, outcome: CampaignOutcome, bases: string[] = []): CampaignItem => ({
  place,
  outcome,
  reference: `r/a/${place}:v1`,
  bases,
});
const items = (...outcomes: CampaignOutcome[]) => outcomes.map((it, n) => item(n + 1, it));
const next = (list: CampaignItem[], accepted = 0) => nextStep(list, pace, accepted);

it('builds bases before what is made from them, whatever the order they were found in', () => {
  const a = { reference: 'r/a:1', bases: ['r/b:1'] };
  const b = { reference: 'r/b:1', bases: ['r/c:1', 'r/other:1'] };
  const c = { reference: 'r/c:1', bases: [] };
  expect(basesFirst([a, b, c])).toEqual([c, b, a]);
  const circle = { ...c, bases: ['r/a:1'] };
  expect(basesFirst([a, b, circle])).toHaveLength(3);
});

it('builds the canaries first, and the others once all of them have succeeded', () => {
  const ten = items('succeeded', 'building', ...Array<CampaignOutcome>(8).fill('waiting'));
  expect(next(ten)).toEqual({ kind: 'wait' });
  expect(next([...items('waiting', 'waiting'), ...ten.slice(2)])).toEqual({ kind: 'build', place: 1 });
  expect(next([...items('succeeded', 'succeeded'), ...ten.slice(2)])).toEqual({ kind: 'build', place: 3 });
});

it('stops when a canary fails, or too large a share of all', () => {
  const waiting = Array<CampaignOutcome>(6).fill('waiting');
  expect(next(items('failed', 'waiting', ...waiting))).toMatchObject({
    state: 'stopped',
    reason: '1 of the first 2 failed',
  });
  const mostly = items('succeeded', 'succeeded', 'succeeded', 'failed', ...waiting);
  expect(next(mostly)).toEqual({ kind: 'build', place: 5 });
  expect(next(items('succeeded', 'succeeded', 'succeeded', 'failed', 'failed', ...waiting))).toMatchObject({
    state: 'stopped',
    reason: '2 of 5 builds failed, more than 25 percent',
  });
  // What comes after the canaries is no canary, also where some of those were left out.
  const few = [...items('failed', 'skipped', 'failed', 'succeeded', 'succeeded', 'succeeded'), ...items('waiting')];
  expect(
    nextStep(
      few.map((it, n) => ({ ...it, place: n + 1 })),
      { ...pace, stopPercent: 30 },
      1,
    ),
  ).toMatchObject({ kind: 'build' });
  // Somebody has let it go on.
  expect(next(items('succeeded', 'succeeded', 'succeeded', 'failed', 'failed', ...waiting), 2)).toEqual({
    kind: 'build',
    place: 6,
  });
});

it('waits for a base, and leaves out what stands on one that was not built', () => {
  const on = (outcome: CampaignOutcome) => [
    item(1, 'succeeded'),
    item(2, outcome),
    item(3, 'waiting', ['r/a/2:v1', 'r/else:1']),
    ...[4, 5, 6, 7, 8].map((it) => item(it, 'succeeded')),
  ];
  const late = { ...pace, canaryPercent: 10, stopPercent: 50 };
  expect(nextStep(on('building'), late, 0)).toEqual({ kind: 'wait' });
  expect(nextStep(on('succeeded'), late, 0)).toEqual({ kind: 'build', place: 3 });
  expect(nextStep(on('failed'), late, 0)).toEqual({
    kind: 'skip',
    place: 3,
    message: 'its base r/a/2:v1 was not built',
  });
});

it('is done when all have ended', () => {
  expect(next(items('succeeded', 'skipped', 'succeeded'))).toEqual({ kind: 'end', state: 'done', reason: '' });
});

it('names what it builds so that the name fits, once however often it was built by campaigns', () => {
  const id = 'camp-0000abcdef';
  expect(campaignName('torch', id, 7)).toBe('torch-cabcdef-7');
  expect(campaignName('torch-c123456-12', id, 8)).toBe('torch-cabcdef-8');
  expect(campaignName('x'.repeat(50), id, 1)).toHaveLength(50);
});
