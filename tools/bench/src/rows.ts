import { randomUUID } from 'node:crypto';
import {
  countLiveBuilds,
  dispatch,
  findNeglect,
  firstEnded,
  forgetBuilds,
  forgetEvents,
  readOutbox,
  readScaling,
  readWorkAtHand,
  republishStale,
  sweepClocks,
  sweepExpired,
  sweepLeases,
  sweepTallies,
} from '@kiln/persistence';
import { provisionAccount } from '@kiln/stack';
import type { BenchStack } from './bench-stack.ts';
import { kilnSide } from './build-sides.ts';
import { twoSteps } from './builds.ts';
import { median, ms, timed } from './measure.ts';
import { seedLists } from './seed-lists.ts';

interface Case {
  what: string;
  run: () => Promise<unknown>;
  rounds?: number;
}

const few = 10_000;
const rounds = 15;
const clocks = {
  queueSeconds: 86_400,
  totalSeconds: 86_400,
  outputSeconds: 3600,
  phaseSeconds: {},
  tagSeconds: 86_400,
};
const patience = { missedSeconds: 4, staleSeconds: 1.5 };

/** What apps do all the time, and what people look at most. */
function cases(stack: BenchStack): Case[] {
  const { url, account, database } = stack;
  const { db } = database;
  const headers = { authorization: `Bearer ${account.token}` };
  const get = (path: string) => async () => {
    const answer = await fetch(`${url}${path}`, { headers });
    if (!answer.ok) throw new Error(`${path}: ${await answer.text()}`);
    await answer.text();
  };
  const build = kilnSide(stack, account);
  const images = `/api/v1/images?WorkspaceId=${account.workspaceId}`;
  return [
    { what: 'ListImages, newest first', run: get(`${images}&SortBy=GmtCreateTime&Order=DESC`) },
    { what: 'ListImages, by a label', run: get(`${images}&Labels=team%3Dteam-7`) },
    { what: 'ListImage (ModelArts)', run: get(`/v1/${account.projectId}/images?limit=20`) },
    { what: 'ListJobs', run: get('/api/v1/jobs') },
    { what: 'ListImageBuilds', run: get('/api/v1/imagebuilds') },
    { what: 'the overview', run: get('/api/v1/overview') },
    { what: 'the watch: is there work?', run: () => readWorkAtHand(db) },
    { what: 'dispatch', run: () => dispatch(db, { runningMax: 0 }) },
    { what: 'what scalers ask', run: () => readScaling(db) },
    { what: 'readiness', run: () => Promise.all([readOutbox(db), countLiveBuilds(db)]) },
    { what: 'the sweeper: is there anything to mend?', run: () => findNeglect(db, clocks, patience) },
    {
      what: 'a sweep',
      run: async () => {
        await sweepLeases(db, [], { attemptsMax: 3, crashesMax: 2 });
        await sweepClocks(db, clocks);
        await republishStale(db, 1.5);
      },
    },
    {
      what: 'tidying up, once a minute',
      run: async () => {
        await Promise.all([sweepTallies(db), sweepExpired(db)]);
        await forgetEvents(db, 3650);
        await forgetBuilds(db, { logs: 3650, builds: 3650 }, firstEnded);
      },
    },
    { what: 'a build of two steps', run: () => build(twoSteps(stack.tiny)), rounds: 7 },
  ];
}

async function measure(stack: BenchStack): Promise<Map<string, number>> {
  const found = new Map<string, number>();
  for (const it of cases(stack)) {
    const taken: number[] = [];
    await it.run();
    for (let round = 0; round < (it.rounds ?? rounds); round += 1) {
      await touch(stack);
      taken.push(await timed(it.run));
    }
    found.set(it.what, median(taken));
  }
  return found;
}

/** Changes an image and a build, so that no answer is a remembered one. */
async function touch({ database, account }: BenchStack): Promise<void> {
  for (const table of ['images', 'builds'])
    await database.db.$client.query(
      `UPDATE ${table} SET updated_at = now() WHERE id = (SELECT id FROM ${table} WHERE account_id = $1 LIMIT 1)`,
      [account.accountId],
    );
}

/** The same with 10,000 finished builds and images in one account, and with very many. */
export async function benchRows(bench: BenchStack, many: number): Promise<void> {
  const { database, sealingKey, registryHost } = bench;
  const account = await provisionAccount(database.db, sealingKey, `rows-${randomUUID().slice(0, 6)}`, registryHost);
  const stack = { ...bench, account };
  const seed = async (from: number, until: number) => {
    const took = await timed(() => seedLists(stack, from, until));
    await sweepTallies(database.db);
    await database.db.$client.query('VACUUM ANALYZE tallies');
    console.log(`\n${until} images and as many builds are there; writing them took ${(took / 1000).toFixed(0)} s`);
  };
  await seed(0, few);
  const before = await measure(stack);
  await seed(few, many);
  const after = await measure(stack);
  const wide = Math.max(...[...before.keys()].map((it) => it.length));
  console.log(`\n${'measured'.padEnd(wide)}  ${`${few}`.padStart(10)}  ${`${many}`.padStart(10)}  ratio`);
  for (const [what, few] of before) {
    const now = after.get(what) ?? NaN;
    const cells = [few, now].map((it) => ms(it).padStart(10));
    console.log(`${what.padEnd(wide)}  ${cells.join('  ')}  ${(now / few).toFixed(2)}`);
  }
}
