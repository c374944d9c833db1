import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { openRandom } from '@kiln/kit/testing';
import { type Managed, provisionAccount, startApp } from '@kiln/stack';
import type { BenchStack } from './bench-stack.ts';
import { kilnSide, type Side } from './build-sides.ts';
import type { Row } from './measure.ts';

const accounts = 8;
/** Dockerfiles of each account, which differ from their first step on. */
const projects = 3;
const atOnce = 4;

/** A step that every build of a project has, and one that no other build has. */
const dockerfile = (base: string, project: string): string =>
  `FROM ${base}\nRUN sleep 1 && echo ${project} > /shared\nRUN echo ${randomUUID()} > /own\n`;

/** Builds of several accounts in a made order, on so many builders of two slots whose caches are empty. */
async function play(stack: BenchStack, builders: number, builds: number) {
  const { dir, database, sealingKey, registryHost, env } = stack;
  const run = randomUUID().slice(0, 8);
  const sides: Side[] = [];
  for (let n = 0; n < accounts; n += 1)
    sides.push(kilnSide(stack, await provisionAccount(database.db, sealingKey, `affinity-${run}-${n}`, registryHost)));
  const started: Managed[] = [];
  for (let n = 0; n < builders; n += 1) {
    const settings = { ...env, KILN_BUILDER_SLOTS: '2', KILN_BUILDER_DIR: join(dir, `builder-${run}-${n}`) };
    const builder = startApp(dir, 'builder', settings, `builder-${run}-${n}`);
    started.push(builder);
    await builder.logged('"ready"');
  }
  try {
    const random = openRandom(1);
    const queue = Array.from(
      { length: builds },
      () => [random.int(0, accounts - 1), random.int(0, projects - 1)] as const,
    );
    const startedAt = performance.now();
    const client = async () => {
      for (let next = queue.shift(); next; next = queue.shift())
        await sides[next[0]]?.(dockerfile(stack.tiny, `${run}-${next[1]}`));
    };
    await Promise.all(Array.from({ length: atOnce }, client));
    const seconds = (performance.now() - startedAt) / 1000;
    const { rows } = await database.db.$client.query<{ cached: number; all: number }>(
      `SELECT count(*) FILTER (WHERE result = 'cached')::int AS cached, count(*)::int AS all FROM build_steps
       WHERE instruction LIKE '%${run}%'`,
    );
    const placed = await database.db.$client.query<{ why: string; n: number }>(
      `SELECT coalesce(a.placement->>'why', 'another') AS why, count(*)::int AS n
       FROM build_attempts a JOIN builds b ON b.id = a.build_id
       WHERE b.request::text LIKE '%${run}%' GROUP BY 1 ORDER BY 2 DESC`,
    );
    const { cached = 0, all = 0 } = rows[0] ?? {};
    return { ratio: cached / all, seconds, placed: placed.rows.map(({ why, n }) => `${n} ${why}`).join(', ') };
  } finally {
    for (const it of started) await it.stop();
  }
}

/** How many of the steps that could come from a cache did, with several builders and with one. */
export async function benchAffinity(stack: BenchStack, builds = 200): Promise<Row[]> {
  await stack.apps.find((it) => it.name === 'builder')?.process.stop();
  const one = await play(stack, 1, builds);
  const four = await play(stack, 4, builds);
  const percent = (it: number): string => `${(it * 100).toFixed(1)} %`;
  console.log(`\none builder: ${one.seconds.toFixed(0)} s; ${one.placed}`);
  console.log(`four builders: ${four.seconds.toFixed(0)} s; ${four.placed}\n`);
  return [
    {
      what: `shared steps of ${builds} builds from the cache, four builders`,
      ours: percent(four.ratio),
      other: `one builder: ${percent(one.ratio)}`,
      ratio: four.ratio / one.ratio,
      aim: '≥ 0.90',
    },
  ];
}
