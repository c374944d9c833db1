import { parseDockerfile } from '@kiln/domain';
import type { StepRun } from '../engine.ts';
import type { StatusResponse, Timestamp, Vertex } from './messages.ts';
import { Progress } from './progress.ts';

const second = (n: number): Timestamp => ({ seconds: Math.floor(Date.now() / 1000) - 100 + n, nanos: 0 });
const vertex = (digest: string, more: Partial<Vertex> = {}): Vertex => ({
  digest, inputs: [], name: 'what the daemon calls it', cached: false, started: second(0), completed: null, error: '', ...more,
}); // prettier-ignore
const status = (...vertexes: Vertex[]): StatusResponse => ({ vertexes, logs: [], warnings: [] });
const printed = (digest: string, text: string): StatusResponse => ({
  ...status(),
  logs: [{ vertex: digest, timestamp: null, stream: 1, msg: Buffer.from(text) }],
});

/** Follows what a daemon tells of a build whose instructions 2 and 3 are operations `a` and `b`. */
async function follow(...told: StatusResponse[]) {
  const runs: StepRun[] = [];
  const lines: [string, number][] = [];
  const progress = new Progress(parseDockerfile('FROM x\nRUN one\nRUN two\n'), {
    onStep: (run) => runs.push(run),
    onLine: (line, _partial, step) => Promise.resolve(void lines.push([line, step])),
  });
  progress.follow({ steps: new Map([['a', [2]], ['b', [3]]]) }); // prettier-ignore
  for (const it of told) await progress.take(it);
  return { progress, lines, results: runs.map((it) => [it.number, it.ended?.result, it.ended?.exitCode]), runs };
}

it('steps that run at once have lines of their own, and are named when it is another one that prints', async () => {
  const { lines, results } = await follow(
    status(vertex('a'), vertex('b')),
    printed('a', 'from a\nha'),
    printed('b', 'from b\n'),
    printed('a', 'lf\n'),
    status(vertex('a', { completed: second(2) }), vertex('b', { cached: true, completed: second(1) })),
  );
  expect(lines).toEqual([
    ['#1 RUN one', 2], ['#2 RUN two', 3],
    ['#1 RUN one', 2], ['from a', 2], ['#2 RUN two', 3], ['from b', 3], ['#1 RUN one', 2], ['half', 2],
    ['#1 DONE 2.0s', 2], ['#2 CACHED', 3],
  ]); // prettier-ignore
  expect(results).toEqual([[2, undefined, undefined], [3, undefined, undefined], [2, 'ok', undefined], [3, 'cached', undefined]]); // prettier-ignore
});

it('the step that failed is that with an error of its own, whichever is told first', async () => {
  const cancelled = vertex('a', { completed: second(1), error: 'context canceled: context canceled' });
  const broken = vertex('b', {
    completed: second(1),
    error: 'process "/bin/sh -c two" did not complete successfully: exit code: 7',
  });
  for (const told of [[cancelled, broken], [broken, cancelled]]) {
    const { progress, results } = await follow(status(vertex('a'), vertex('b')), status(...told));
    expect(progress.failed).toMatchObject({ number: 3 });
    expect(results).toContainEqual([3, 'failed', 7]);
    expect(results).toContainEqual([2, 'stopped', undefined]);
  } // prettier-ignore
});

it('names what the linter of the Dockerfile’s frontend finds, with its line, once', async () => {
  const warning = (short: string, line?: number) => ({
    short: Buffer.from(short),
    ranges: line === undefined ? [] : [{ start: { line }, end: { line } }],
  });
  const found = warning('StageNameCasing: Stage name ‘A’ should be lowercase (line 1)', 1);
  const { lines } = await follow(
    { ...status(), warnings: [found, found] },
    { ...status(), warnings: [warning('UndefinedVar: two\nlines')] },
    { ...status(), warnings: Array.from({ length: 10_000 }, (_, n) => warning(`Flood: ${n}`, n)) },
  );
  expect(lines.slice(0, 3)).toEqual([
    ['kiln: warning: line 1: StageNameCasing: Stage name ‘A’ should be lowercase', 0],
    ['kiln: warning: UndefinedVar: two', 0],
    ['lines', 0],
  ]);
  expect(lines.length).toBeLessThan(250);
});

it('bears a daemon that lies: unknown operations, absurd moments and codes, an end without a beginning', async () => {
  const absurd = { seconds: 1e300, nanos: -5 };
  const { runs, lines } = await follow(
    status(...Array.from({ length: 10_000 }, (_, n) => vertex(`unknown-${n}`))),
    printed('unknown-1', 'of nobody\n'),
    printed('b', 'before it began\n'),
    status(vertex('b', { started: null, completed: second(1) })),
    status(vertex('a', { started: absurd, completed: absurd, error: `exit code: ${'9'.repeat(40)}` })),
  );
  expect(runs.map((it) => it.number)).toEqual([2, 2]);
  for (const { startedAt, ended } of runs) {
    expect(Math.abs(startedAt.getTime() - Date.now())).toBeLessThan(10_000);
    expect(ended?.exitCode).toBeUndefined();
  }
  expect(lines).toEqual([['#1 RUN one', 2], ['#1 ERROR', 2]]); // prettier-ignore
});
