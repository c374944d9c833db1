import { bytesFreed, type KeepRule, removable, type RetainedImage } from './retention.ts';

const now = new Date('2026-06-30T00:00:00Z');
const daysAgo = (days: number) => new Date(now.getTime() - days * 86_400_000);
const rule = (change: Partial<KeepRule> = {}): KeepRule => ({
  repositories: ['ml/**'],
  keepLast: 1,
  keepTags: [],
  keepLabels: [],
  keepDays: 10,
  keepUsedDays: 10,
  ...change,
});
const image = (id: string, days: number, change: Partial<RetainedImage> = {}): RetainedImage => ({
  id,
  isRuled: true,
  isUsable: true,
  isRetiring: false,
  host: 'r',
  repository: 'ml/a',
  tag: id,
  digest: `sha256:${id}`,
  labels: [],
  createdAt: daysAgo(days),
  usedAt: null,
  pinned: false,
  sizeBytes: 100,
  bases: [],
  ...change,
});
const going = (images: RetainedImage[], rules = [rule()]) => [...removable(images, { rules }, now).keys()].sort();

it('lets images go that nothing keeps, and says why', () => {
  const images = [image('old', 30), image('young', 5), image('last', 4)];
  expect([...removable(images, { rules: [rule()] }, now)]).toEqual([
    ['old', 'not among the last 1 of its repository, older than 10 days, not used for 10 days'],
  ]);
  expect(going(images, [])).toEqual([]);
  expect(going(images, [rule({ repositories: ['other/*'] })])).toEqual([]);
});

it.each([
  ['a pin', { pinned: true }, {}],
  ['its use', { usedAt: daysAgo(3) }, {}],
  ['its tag', { tag: 'v1.2' }, { keepTags: ['v*'] }],
  ['a label', { labels: [{ key: 'keep', value: 'yes' }] }, { keepLabels: [{ key: 'keep', value: 'yes' }] }],
  ['its age', {}, { keepDays: 31 }],
  ['its place', {}, { keepLast: 2 }],
])('keeps an image by %s', (_, change, rules) => {
  const images = [image('it', 30, change), image('last', 20)];
  expect(going(images, [rule(rules)])).toEqual([]);
  expect(going([image('it', 30), image('last', 20)])).toEqual(['it']);
});

it('lets the first rule for a repository decide', () => {
  const images = [image('a', 30, { repository: 'ml/keep' }), image('b', 30), image('c', 20)];
  const all = rule({ keepLast: 0 });
  expect(going(images, [rule({ repositories: ['ml/keep'] }), all])).toEqual(['b', 'c']);
  expect(going(images, [all, rule({ repositories: ['ml/keep'] })])).toEqual(['a', 'b', 'c']);
});

it('keeps what a kept image was made from, through others in between, by one entry', () => {
  const images = [
    image('root', 50, { repository: 'ml/root' }),
    image('again', 45, { repository: 'ml/root', digest: 'sha256:root' }),
    image('middle', 40, { repository: 'ml/middle', bases: ['r/ml/root@sha256:root'] }),
    image('old', 30, { bases: ['r/ml/middle@sha256:middle'] }),
    image('top', 20, { bases: ['r/ml/middle@sha256:middle'] }),
    image('alone', 60, { repository: 'ml/root' }),
  ];
  expect(going(images, [rule({ keepLast: 1, repositories: ['ml/a'] }), rule({ keepLast: 0 })])).toEqual([
    'alone',
    'old',
    'root',
  ]);
});

it('keeps a base as long as anything stays that was made from it, also where that may go some other time', () => {
  const images = [
    image('base', 90, { repository: 'ml/base', isRetiring: true }),
    image('top', 60, { bases: ['r/ml/base@sha256:base'] }),
  ];
  const all = { rules: [rule({ keepLast: 0 })] };
  expect([...removable(images, all, now).keys()]).toEqual(['base', 'top']);
  expect([...removable(images, all, now, new Set(['base'])).keys()]).toEqual([]);
  expect([...removable(images, all, now, new Set(['base', 'top'])).keys()]).toEqual(['base', 'top']);
});

it('gives places only to what can be used, and one to a digest', () => {
  const images = [
    image('good', 30),
    image('twice', 29, { digest: 'sha256:good' }),
    image('broken', 20, { isUsable: false }),
    image('older', 40),
  ];
  expect(going(images)).toEqual(['broken', 'older']);
});

it('leaves images alone that the rules are not for, and keeps their bases', () => {
  const other = image('other', 90, { isRuled: false, bases: ['r/ml/a@sha256:old'] });
  expect(going([image('old', 30), image('older', 40), image('last', 20), other])).toEqual(['older']);
});

it('counts bytes once for a digest, and none that another image still has', () => {
  const images = [image('a', 1), image('b', 1, { digest: 'sha256:a' }), image('c', 1), image('d', 1, { digest: null })];
  expect(bytesFreed(images, new Set(['a', 'b', 'd']))).toBe(100);
  expect(bytesFreed(images, new Set(['a']))).toBe(0);
  expect(bytesFreed(images, new Set(['a', 'b', 'c']))).toBe(200);
});
