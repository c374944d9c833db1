import { randomUUID } from 'node:crypto';
import { putRegistryConnection } from '@kiln/persistence';
import { provisionAccount, type ProvisionedAccount } from '@kiln/stack';
import type { BenchStack } from './bench-stack.ts';
import { buildahSide, kilnSide, openBuildxSide, type Side } from './build-sides.ts';
import { inTurn, median, ms, type Row, timed } from './measure.ts';

// Other content each time, or the cache and the registry would have the layers already.
export const twoSteps = (base: string): string =>
  `FROM ${base}\nRUN echo ${randomUUID()} > /id\nRUN dd if=/dev/urandom of=/payload bs=1024 count=1\n`;
const megabytes = (base: string, count: number): string =>
  `FROM ${base}\nRUN echo ${randomUUID()} && head -c ${count * 1_000_000} /dev/urandom > /payload\n`;
const stages = (base: string): string =>
  `FROM ${base} AS one\nRUN echo ${randomUUID()} > /1; sleep 3\nFROM ${base} AS two\nRUN echo ${randomUUID()} > /2; sleep 3\nFROM scratch\nCOPY --from=one /1 /\nCOPY --from=two /2 /\n`;

/** As many at once, each of another text; until the last has ended. */
export const together = (side: Side, count: number, make: () => string) => async (): Promise<number> =>
  Math.max(...(await Promise.all(Array.from({ length: count }, () => side(make())))));

/** Builds one after the other on some lanes at once; each lane has a side. */
const lanes = (sides: readonly Side[], builds: number, make: () => string) => async (): Promise<number> => {
  let left = builds;
  return timed(() =>
    Promise.all(
      sides.map(async (side) => {
        while (left > 0) {
          left -= 1;
          await side(make());
        }
      }),
    ),
  );
};

export const row = (what: string, ours: number[], other: string, theirs: number[], aim: string): Row => ({
  what,
  ours: ms(median(ours)),
  other: `${other}: ${ms(median(theirs))}`,
  ratio: median(ours) / median(theirs),
  aim,
});

const absolute = (what: string, taken: number[], mostMs: number): Row => ({
  what,
  ours: ms(median(taken)),
  other: `${mostMs} ms`,
  ratio: median(taken) / mostMs,
  aim: '≤ 1.00',
});

/** Whole builds, against BuildKit and buildah by their own commands, in turn. */
export async function benchBuilds(stack: BenchStack, rounds: number): Promise<Row[]> {
  const account = (name: string): Promise<ProvisionedAccount> =>
    provisionAccount(stack.database.db, stack.sealingKey, name, stack.registryHost);
  const kiln = kilnSide(stack, stack.account);
  const buildx = await openBuildxSide(stack);
  const buildah = buildahSide(stack);
  const { tiny, big } = stack;
  const rows: Row[] = [];
  const two = () => twoSteps(tiny);
  try {
    const [one = [], oneBuildx = [], oneBuildah = []] = await inTurn(rounds, [
      together(kiln, 1, two),
      together(buildx.side, 1, two),
      together(buildah, 1, two),
    ]);
    rows.push(row('two steps on a tiny base', one, 'buildx', oneBuildx, '≤ 1.25'));
    rows.push(row('the same', one, 'buildah', oneBuildah, '< 1.00'));
    const [four = [], fourBuildx = [], fourBuildah = []] = await inTurn(rounds, [
      together(kiln, 4, two),
      together(buildx.side, 4, two),
      together(buildah, 4, two),
    ]);
    rows.push(row('four at once', four, 'buildx', fourBuildx, '≤ 1.25'));
    rows.push(row('the same', four, 'buildah', fourBuildah, '< 1.00'));
    const cold: number[] = [];
    for (let n = 0; n < 3; n += 1) {
      const side = kilnSide(stack, await account(`cold-${randomUUID().slice(0, 6)}`));
      cold.push((await side(two())) - median(one));
    }
    rows.push(absolute('more for a cold room', cold, 1500));
    const [added = [], addedBuildx = []] = await inTurn(rounds, [
      together(kiln, 1, () => megabytes(big, 1)),
      together(buildx.side, 1, () => megabytes(big, 1)),
    ]);
    rows.push(row('1 MB on a base of 200 MB', added, 'buildx', addedBuildx, '≤ 1.15'));
    const same = two();
    const [cached = []] = await inTurn(rounds, [together(kiln, 1, () => same)]);
    rows.push(absolute('all steps cached', cached, 400));
    const [large = [], largeBuildx = []] = await inTurn(Math.min(rounds, 3), [
      together(kiln, 1, () => megabytes(tiny, 500)),
      together(buildx.side, 1, () => megabytes(tiny, 500)),
    ]);
    rows.push(row('a new layer of 500 MB', large, 'buildx', largeBuildx, '≤ 1.10'));
    const zstdAccount = await account(`zstd-${randomUUID().slice(0, 6)}`);
    await putRegistryConnection(stack.database.db, {
      accountId: zstdAccount.accountId,
      id: zstdAccount.connectionId,
      host: stack.registryHost,
      tlsMode: 'http',
      compression: 'zstd',
    });
    const [zstd = []] = await inTurn(2, [together(kilnSide(stack, zstdAccount), 1, () => megabytes(tiny, 500))]);
    rows.push(row('the same, zstd', zstd, 'Kiln, gzip', large, '≤ 0.55'));
    const [parallel = []] = await inTurn(3, [together(kiln, 1, () => stages(tiny))]);
    rows.push(absolute('two stages of 3 s', parallel, 4000));
    const accounts = await Promise.all([1, 2, 3, 4].map((it) => account(`lane-${it}-${randomUUID().slice(0, 6)}`)));
    const sides = accounts.map((it) => kilnSide(stack, it, 1000));
    for (const it of sides) await it(two());
    const queue = kilnSide(stack, stack.account, 1000);
    const [ofOne = [], ofFour = [], ofBuildx = []] = await inTurn(3, [
      // The builder has four slots.
      together(queue, 20, two),
      async () => Math.max(...(await Promise.all(sides.map((it) => together(it, 5, two)())))),
      lanes(Array<Side>(4).fill(buildx.side), 20, two),
    ]);
    rows.push(row('20 builds, four at once, one account', ofOne, 'buildx', ofBuildx, '≤ 1.25'));
    rows.push(row('the same, four accounts', ofFour, 'buildx', ofBuildx, '≤ 1.25'));
  } finally {
    await buildx.stop();
  }
  return rows;
}
