import { once } from 'node:events';
import { type Build, type Database, readLog } from '@kiln/persistence';
import { type buildOperations, isTerminal } from '@kiln/schemas';
import { type LogFeed } from '@kiln/services';
import { type Call } from '../http/dialect.ts';
import { followLog, shownLine } from './follow-log.ts';

/**
 * Sends an attempt's log from a line on, chunk by chunk as the client takes it: as text, or as NDJSON whose every record
 * carries the cursor to go on from. The end of the answer is the end of the log so far; as server-sent events, or when it is
 * followed, that of the build.
 */
export async function sendBuildLog(
  { db, logFeed }: { db: Database; logFeed: LogFeed },
  build: Build,
  { query: wanted, headers, res }: Pick<Call<typeof buildOperations.GetImageBuildLogs>, 'query' | 'headers' | 'res'>,
): Promise<undefined> {
  const [, accepted] = /(ndjson|event-stream)/.exec(headers['accept'] ?? '') ?? [];
  const format = wanted.Format ?? (accepted === 'event-stream' ? 'sse' : accepted === 'ndjson' ? 'ndjson' : 'text');
  if (format === 'sse' || wanted.Follow) return followLog(logFeed, build, format, { query: wanted, headers, res });
  const attempt = wanted.Attempt ?? Math.max(1, build.attempt);
  res.set({
    'content-type': format === 'ndjson' ? 'application/x-ndjson; charset=utf-8' : 'text/plain; charset=utf-8',
    'x-content-type-options': 'nosniff',
    'kiln-attempt': String(attempt),
    // Whether more lines can still come.
    'kiln-log-complete': String(isTerminal(build.state) || attempt < build.attempt),
  });
  let left = wanted.Limit;
  for await (const lines of readLog(db, build.id, attempt, wanted.Cursor)) {
    const taken = lines.slice(0, left);
    left -= taken.length;
    const text = taken.map((it) => (format === 'text' ? it.text : JSON.stringify(shownLine(it))));
    // A slow reader holds back the next chunk; one that has gone ends the reading.
    if (text.length > 0 && !res.write(`${text.join('\n')}\n`))
      await Promise.race([once(res, 'drain'), once(res, 'close')]);
    if (left === 0 || res.destroyed) break;
  }
  res.end();
  return undefined;
}
