import type { Build, BuildProgress, LogLine } from '@kiln/persistence';
import type { LogEvent, LogFeed, LogPlace } from './log-feed.ts';
import type { Response } from 'express';
import { openStream, sseContentType, sseEvent } from './stream.ts';

/** How the events of a log are written in one format. */
interface Writing {
  contentType: string;
  event(event: LogEvent): string;
  heartbeat?: string;
}

const idOf = ({ attempt, line }: LogPlace): string => `${attempt}.${line}`;
/** A line as JSON shows it, with the cursor to go on from. */
export const shownLine = (it: LogLine) => ({
  Cursor: it.n + 1,
  Time: it.at.toISOString(),
  ...(it.step === 0 ? {} : { Step: it.step }),
  Text: it.text,
});
const shownProgress = ({ state, phase, attempt, step }: BuildProgress) => ({
  State: state,
  Phase: phase,
  Attempt: attempt,
  ...(step === null ? {} : { Step: step }),
});

const writings = {
  sse: {
    contentType: sseContentType,
    heartbeat: ': heartbeat\n\n',
    event(it) {
      switch (it.kind) {
        case 'lines': {
          const next = { attempt: it.attempt, line: (it.lines.at(-1)?.n ?? 0) + 1 };
          return sseEvent('log', { Attempt: it.attempt, Lines: it.lines.map(shownLine) }, idOf(next));
        }
        case 'progress':
          return sseEvent('progress', shownProgress(it.progress));
        case 'reset':
          return sseEvent('reset', { Attempt: it.place.attempt, Cursor: it.place.line }, idOf(it.place));
        case 'end':
          return sseEvent('end', shownProgress(it.progress));
      }
    },
  },
  text: {
    contentType: 'text/plain; charset=utf-8',
    event: (it) => (it.kind === 'lines' ? it.lines.map((line) => `${line.text}\n`).join('') : ''),
  },
} satisfies Record<string, Writing>;
export type FollowFormat = keyof typeof writings;

/** Where a client that was cut off goes on: `attempt.line`, as events are numbered. */
export function placeOfEventId(id: string | undefined): LogPlace | undefined {
  const [, attempt, line] = /^(\d{1,4})\.(\d{1,10})$/.exec(id ?? '') ?? [];
  return attempt === undefined ? undefined : { attempt: Number(attempt), line: Number(line) };
}

/** The lines of one step, among which others' may lie. */
export interface LogPart {
  step: number;
  first: number;
  /** Number of the line after its last one; undefined while lines can still come. */
  end: () => Promise<number | undefined>;
}

/** What of a log is followed. */
interface Followed {
  place: LogPlace;
  /** Only the place's attempt. */
  only: boolean;
  part?: LogPart | undefined;
}

/** The events of a part alone: a line that comes after it is there only when the end is known. */
async function* onlyPart(events: AsyncGenerator<LogEvent>, part: LogPart | undefined): AsyncGenerator<LogEvent> {
  let progress: BuildProgress | undefined;
  for await (const it of events) {
    if (it.kind === 'progress') progress = it.progress;
    // A step is known before its first line is there: the feed then begins further in front.
    if (part && it.kind === 'reset') continue;
    if (!part || it.kind !== 'lines') {
      yield it;
      continue;
    }
    const end = (await part.end()) ?? Infinity;
    const lines = it.lines.filter(({ step }) => step === part.step);
    if (lines.length > 0) yield { ...it, lines };
    if ((it.lines.at(-1)?.n ?? 0) + 1 < end) continue;
    if (progress) yield { kind: 'end', progress };
    return;
  }
}

/**
 * Sends a log as it is written, from a place on, until the build has ended or the client has gone. A client that reads
 * slowly gets the next piece when it has taken the last one; nothing is kept for it meanwhile.
 * @throws Fault Throttling when the process serves as many readers as it may
 */
export async function followLog(
  feed: LogFeed,
  build: Build,
  format: FollowFormat,
  { place, only, part }: Followed,
  res: Response,
): Promise<undefined> {
  const writing: Writing = writings[format];
  const stream = openStream(res, writing.contentType, () => writing.heartbeat ?? '');
  const events = feed.follow(build.id, place, { only, signal: stream.signal });
  stream.begin(format === 'sse' ? 'retry: 1000\n\n' : '');
  for await (const it of onlyPart(events, part)) await stream.send(writing.event(it));
  stream.end();
  return undefined;
}
