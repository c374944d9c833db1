import { chooseNext, type Contender } from './fair-share.ts';
import { type Builder, patienceFor } from './placement.ts';

type Change = Partial<Contender> & { heldSeconds?: number; warmOn?: ReadonlySet<string> };
const account = (accountId: string, waiting: number, { heldSeconds, warmOn = new Set(), ...change }: Change = {}): Contender => ({
  accountId,
  weight: 1,
  runningMax: Infinity,
  running: 0,
  finishTag: 0,
  knownOn: warmOn,
  // Five seconds of patience, and four builds that are held back for two slots.
  took: { warm: 2.5, cold: 2.5 + 5 / 0.3 },
  waiting: Array.from({ length: waiting }, (_, n) => ({
    id: `${accountId}-${n}`,
    lane: 'normal',
    waitedSeconds: waiting - n,
    warmOn,
    ...(heldSeconds === undefined ? {} : { heldSeconds }),
  })),
  ...change,
}); // prettier-ignore
const builders = (...free: number[]): Builder[] => free.map((it, n) => ({ name: `w${n}`, slots: 2, free: it }));
const choose = (contenders: Contender[], on: Builder[]) => {
  const free = on.reduce((sum, it) => sum + Math.max(0, it.free), 0);
  const { chosen, held, finishTags } = chooseNext(contenders, new Map(on.map((it) => [it.name, it])), free, 0);
  return {
    chosen: chosen.map((it) => `${it.build.id} ${it.why} ${it.on}`),
    held: held.map((it) => it.id),
    charged: [...finishTags.keys()],
  };
};

it('sends a build to a builder that has the cache of its account', () => {
  for (const name of ['w0', 'w1', 'w2'])
    expect(choose([account('a', 1, { warmOn: new Set([name]) })], builders(2, 2, 2)).chosen).toEqual([`a-0 warm ${name}`]);
}); // prettier-ignore

it('holds a build back while that builder is busy, at no cost, and lets others pass', () => {
  const warm = account('a', 2, { warmOn: new Set(['w0']) });
  expect(choose([warm, account('b', 1)], builders(0, 2))).toEqual({
    chosen: ['b-0 cold w1'],
    held: ['a-0', 'a-1'],
    charged: ['b'],
  });
});

it('lets go elsewhere what was held back for long enough, all at once', () => {
  const held = account('a', 3, { warmOn: new Set(['w0']), heldSeconds: 5 });
  expect(choose([held], builders(0, 2, 2)).chosen.map((it) => it.split(' ')[1])).toEqual(['spilled', 'spilled', 'spilled']);
  expect(choose([account('a', 3, { warmOn: new Set(['w0']), heldSeconds: 4.9 })], builders(0, 2, 2)).chosen).toEqual([]);
}); // prettier-ignore

it('holds back no more builds than those builders can take in time', () => {
  const warm = account('a', 9, { warmOn: new Set(['w0']) });
  const { chosen, held } = choose([warm], builders(0, 2, 2));
  expect(held).toEqual(['a-0', 'a-1', 'a-2', 'a-3']);
  expect(chosen.map((it) => it.split(' ').slice(0, 2))).toEqual([
    ['a-4', 'spilled'],
    ['a-5', 'spilled'],
    ['a-6', 'spilled'],
    ['a-7', 'spilled'],
  ]);
});

it('does not hold back what could not go anywhere, or whose turn has not come', () => {
  const warmOn = new Set(['w0']);
  expect(choose([account('a', 1, { warmOn })], builders(0, 0)).held).toEqual([]);
  const late = account('late', 1, { warmOn, finishTag: 9 });
  expect(choose([late, account('b', 9)], builders(0, 2)).held).toEqual([]);
});

it('waits for no builder that is gone', () => {
  expect(choose([account('a', 1, { warmOn: new Set(['gone']) })], builders(2)).chosen).toEqual(['a-0 cold w0']);
});

it('sends the builds of an account that is new to one builder, and different accounts to different ones', () => {
  const on = (accountId: string) => choose([account(accountId, 1)], builders(2, 2, 2, 2)).chosen[0]?.split(' ')[2];
  expect(on('a')).toBe(on('a'));
  const places = Array.from({ length: 40 }, (_, n) => on(`account-${n}`));
  for (const name of ['w0', 'w1', 'w2', 'w3'])
    expect(places.filter((it) => it === name).length).toBeGreaterThanOrEqual(4);
});

it('sends what is new of an account to a builder that has its cache, if one is free, and waits for none', () => {
  const knownOn = new Set(['w1']);
  expect(choose([account('a', 1, { knownOn })], builders(2, 1, 2)).chosen).toEqual(['a-0 cold w1']);
  expect(choose([account('a', 1, { knownOn })], builders(2, 0)).chosen).toEqual(['a-0 cold w0']);
});

it('avoids builders on which a build was tried, while there are others', () => {
  const warmOn = new Set(['w0']);
  const avoiding = (...names: string[]) => {
    const it = account('a', 1, { warmOn });
    return { ...it, waiting: it.waiting.map((one) => ({ ...one, avoid: new Set(names) })) };
  };
  expect(choose([avoiding('w0')], builders(2, 2)).chosen).toEqual(['a-0 cold w1']);
  expect(choose([avoiding('w0', 'w1')], builders(2, 2)).chosen).toHaveLength(1);
});

it('prefers builders that have no more to do than the others', () => {
  for (let n = 0; n < 20; n += 1)
    expect(choose([account(`account-${n}`, 1)], builders(1, 1, 2)).chosen[0]).toContain('w2');
});

it.each([
  [{ warm: undefined, cold: undefined }, 0],
  [{ warm: 3, cold: undefined }, 0],
  [{ warm: undefined, cold: 10 }, 3],
  [{ warm: 5, cold: 15 }, 3],
  [{ warm: 15, cold: 5 }, 0],
  [{ warm: 10, cold: 600 }, 10],
])('waits for three tenths of what the cache saved, and 10 s at most: %j', (took, seconds) => {
  expect(patienceFor(took)).toBeCloseTo(seconds);
});
