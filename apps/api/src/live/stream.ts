import { once } from 'node:events';
import type { Response } from 'express';

/** Proxies close connections on which nothing comes for a minute, and many do so sooner. */
const heartbeatMs = 15_000;

/** An answer that goes on for as long as there is something to tell and somebody to hear it. */
export interface Stream {
  /** Aborted when the client has gone, or its time is over. */
  signal: AbortSignal;
  /** Sends the head; before it, an error can still be answered as usual. */
  begin(text: string): void;
  /** Waits until the client has taken what was sent before, or has gone: nothing is kept for slow ones. */
  send(text: string): Promise<void>;
  /** Says that this was all; one that breaks off is destroyed by whoever catches the error. */
  end(): void;
}

/**
 * @param heartbeat what is sent while there is nothing else; nothing where that would be taken for content
 * @param limits after `untilMs` it ends; a client that has taken nothing for `stallMs` is let go of
 */
export function openStream(
  res: Response,
  contentType: string,
  heartbeat: () => string,
  { untilMs, stallMs }: { untilMs?: number; stallMs?: number } = {},
): Stream {
  const over = new AbortController();
  let heart: NodeJS.Timeout | undefined;
  const until = untilMs === undefined ? undefined : setTimeout(() => over.abort(), untilMs);
  // A client that goes in the middle of a write is no error of this process.
  res.on('error', () => undefined);
  res.on('close', () => {
    clearInterval(heart);
    clearTimeout(until);
    over.abort();
  });
  return {
    signal: over.signal,
    begin(text) {
      // It lasts as long as the client likes: its time says nothing of the api.
      res.locals['followed'] = true;
      // Proxies must neither keep answers nor gather them.
      res.set({
        'content-type': contentType,
        'cache-control': 'no-store',
        'x-accel-buffering': 'no',
        'x-content-type-options': 'nosniff',
      });
      res.flushHeaders();
      if (text) res.write(text);
      heart = setInterval(() => {
        const beat = heartbeat();
        if (beat && !res.writableNeedDrain) res.write(beat);
      }, heartbeatMs);
    },
    async send(text) {
      if (text === '' || res.write(text)) return;
      const stalled = stallMs === undefined ? undefined : setTimeout(() => res.destroy(), stallMs);
      await once(res, 'drain', { signal: over.signal }).catch(() => undefined);
      clearTimeout(stalled);
    },
    end() {
      clearInterval(heart);
      // Whoever has not taken the last piece would keep the answer open.
      if (res.writableNeedDrain) res.destroy();
      else res.end();
    },
  };
}

export const sseContentType = 'text/event-stream; charset=utf-8';

/** The kind of stream that a client's Accept asks for, if any. */
export function acceptedStream(accept: string | undefined): 'sse' | 'ndjson' | undefined {
  const [, kind] = /(ndjson|event-stream)/.exec(accept ?? '') ?? [];
  return kind === 'event-stream' ? 'sse' : kind === 'ndjson' ? 'ndjson' : undefined;
}

/** A server-sent event; a plain message without a name. */
export const sseEvent = (name: string | undefined, data: unknown, id?: string): string =>
  `${id === undefined ? '' : `id: ${id}\n`}${name === undefined ? '' : `event: ${name}\n`}data: ${JSON.stringify(data)}\n\n`;
