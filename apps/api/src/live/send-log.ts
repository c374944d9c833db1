import { once } from 'node:events';
import { type Build, type Database, linesOfStep, readLog } from '@kiln/persistence';
import type { buildOperations } from '@kiln/contract';
import { fieldFault, isTerminal } from '@kiln/domain';
import type { LogFeed } from './log-feed.ts';
import type { Call } from '../http/dialect.ts';
import { acceptedStream } from './stream.ts';
import { followLog, type LogPart, placeOfEventId, shownLine } from './follow-log.ts';

/**
 * Sends an attempt's log from a line on, with backpressure: as text, or as NDJSON with a cursor in every record. The
 * answer ends with the log so far; server-sent events and followed text end with the build, or with
 * the one step that is wanted.
 * @throws Fault InvalidParameter when NDJSON is to be followed
 */
export async function sendBuildLog(
  { db, logFeed }: { db: Database; logFeed: LogFeed },
  build: Build,
  { query: wanted, headers, res }: Pick<Call<typeof buildOperations.GetImageBuildLogs>, 'query' | 'headers' | 'res'>,
): Promise<undefined> {
  const format = wanted.Format ?? acceptedStream(headers['accept']) ?? 'text';
  const resumed = placeOfEventId(headers['last-event-id']);
  const attempt = resumed?.attempt ?? wanted.Attempt ?? Math.max(1, build.attempt);
  const part = await partOf(db, build, attempt, wanted.Step);
  const from = Math.max(wanted.Cursor, part?.first ?? 0);
  if (format === 'sse' || wanted.Follow) {
    if (format === 'ndjson')
      throw fieldFault('InvalidParameter', 'Format', 'ndjson cannot be followed; use sse or text');
    const place = { attempt, line: Math.max(resumed?.line ?? 0, from) };
    const only = wanted.Attempt !== undefined || part !== undefined;
    return followLog(logFeed, build, format, { place, only, part }, res);
  }
  const end = await part?.end();
  res.set({
    'content-type': format === 'ndjson' ? 'application/x-ndjson; charset=utf-8' : 'text/plain; charset=utf-8',
    'x-content-type-options': 'nosniff',
    'kiln-attempt': String(attempt),
    // Whether more lines can still come.
    'kiln-log-complete': String(isTerminal(build.state) || attempt < build.attempt || end !== undefined),
  });
  let left = wanted.Limit;
  for await (const lines of readLog(db, build.id, attempt, from)) {
    const taken = lines.filter((it) => !part || it.step === part.step).slice(0, left);
    left -= taken.length;
    const text = taken.map((it) => (format === 'text' ? it.text : JSON.stringify(shownLine(it))));
    // A slow reader holds back the next chunk; one that has gone ends the reading.
    if (text.length > 0 && !res.write(`${text.join('\n')}\n`))
      await Promise.race([once(res, 'drain'), once(res, 'close')]);
    if (left <= 0 || res.destroyed || (lines.at(-1)?.n ?? 0) + 1 >= (end ?? Infinity)) break;
  }
  res.end();
  return undefined;
}

/**
 * Where the lines of a step are.
 * @throws Fault InvalidParameter when the attempt has not come to that step
 */
async function partOf(
  db: Database,
  build: Build,
  attempt: number,
  step: number | undefined,
): Promise<LogPart | undefined> {
  if (step === undefined) return undefined;
  const found = await linesOfStep(db, build.id, attempt, step);
  if (!found)
    throw fieldFault(
      'InvalidParameter',
      'Step',
      `attempt ${attempt} of build ${build.id} has not come to step ${step}`,
    );
  let { end } = found;
  return {
    step,
    first: found.first,
    end: async () => (end ??= (await linesOfStep(db, build.id, attempt, step))?.end),
  };
}
