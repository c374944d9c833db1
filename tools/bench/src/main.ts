// `npm run bench`: ratios with raw figures, both sides in one run. `npm run bench -- --rounds 3` is quicker,
// `--only builds`, `--only queues`, `--only affinity`, `--only rows` (`--rows 1000000`), `--only uploads`, `--only lists`,
// `--only packages`, `--only layers` (`--gib 5`) or `--only idle` (`--minutes 5`) measures those alone.
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { memoryMiB, root } from '@kiln/stack';
import { startBenchStack } from './bench-stack.ts';
import { benchAffinity } from './affinity.ts';
import { benchBuilds } from './builds.ts';
import { benchIdle } from './idle.ts';
import { benchLayers } from './layers.ts';
import { benchLists } from './lists.ts';
import { printRows, type Row } from './measure.ts';
import { benchPackages } from './packages.ts';
import { benchQueues } from './queues.ts';
import { benchRegistrations } from './registrations.ts';
import { benchRows } from './rows.ts';
import { benchSubmissions } from './submissions.ts';
import { benchUploads } from './uploads.ts';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '9' },
    only: { type: 'string' },
    minutes: { type: 'string', default: '5' },
    rows: { type: 'string', default: '1000000' },
    gib: { type: 'string', default: '5' },
  },
});
const stack = await startBenchStack(join(root, '.kiln/bench'));

try {
  if (values.only === 'lists') await benchLists(stack);
  else if (values.only === 'rows') await benchRows(stack, Number(values.rows));
  else if (values.only === 'packages') await benchPackages(stack);
  else if (values.only === 'layers') printRows(await benchLayers(stack, Number(values.gib)));
  else if (values.only === 'builds') printRows(await benchBuilds(stack, Number(values.rounds)));
  else if (values.only === 'affinity') printRows(await benchAffinity(stack));
  else if (values.only === 'queues') printRows(await benchQueues(stack, Number(values.rounds)));
  else if (values.only === 'uploads') printRows(await benchUploads(stack, Number(values.rounds)));
  else if (values.only === 'idle') await benchIdle(stack, Number(values.minutes));
  else await benchAll();
} finally {
  await stack.stop();
}

async function benchAll(): Promise<void> {
  console.log(
    `\n${cpus().length} cores, ${(totalmem() / 2 ** 30).toFixed(0)} GiB, Node ${process.version}; medians of ${values.rounds} rounds, both sides in turn\n`,
  );
  const rows: Row[] = [];
  const idle = stack.apps.map((it) => ({ ...it, memory: memoryMiB(it.process.pid) }));
  rows.push(...(await benchBuilds(stack, Number(values.rounds))));
  rows.push(...(await benchQueues(stack, Number(values.rounds))));
  rows.push(...(await benchUploads(stack, Number(values.rounds))));
  rows.push(...(await benchRegistrations(stack)));
  await stack.apps.find((it) => it.name === 'builder')?.process.stop();
  rows.push(...(await benchSubmissions(stack)));
  printRows(rows);
  console.log('\n(e) app        start    memory idle    memory after the run');
  for (const it of idle) {
    const after = it.name === 'builder' ? '(stopped before (c))' : `${memoryMiB(it.process.pid).toFixed(0)} MB`;
    console.log(
      `    ${it.name.padEnd(10)} ${`${it.startMs.toFixed(0)} ms`.padEnd(8)} ${`${it.memory.toFixed(0)} MB`.padEnd(14)} ${after}`,
    );
  }
  await benchLists(stack);
  await benchPackages(stack);
}
