/** A line of a log; its number counts from 0 in its attempt. */
export interface LogLine {
  n: number;
  at: string;
  text: string;
  /** Without its colours, in small letters: what is searched. */
  plain: string;
}

export type LogState = 'connecting' | 'live' | 'ended' | 'lost';

interface LogEvent {
  Attempt: number;
  Lines: { Cursor: number; Time: string; Text: string }[];
}

const lineOf = ({ Cursor, Time, Text }: LogEvent['Lines'][number]): LogLine => ({
  n: Cursor - 1,
  at: Time,
  text: Text,

  plain: Text.replace(/\u001b\[[\d;]*m/g, '').toLowerCase(),
});

/** What a page shows of a log at one moment. */
export interface LogView {
  state: LogState;
  /** The newest attempt that has lines. */
  attempt: number;
  linesOf(attempt: number): readonly LogLine[];
}

/** Between two tries to get a stream where there was none. */
const againMs = 3000;

const none: readonly LogLine[] = [];

/**
 * A build's log as it comes in: the newest attempt and those that follow it, and an earlier one when it is asked for.
 * The browser goes on by itself where it was cut off, by the last event's id.
 */
export class FollowedLog {
  readonly #lines = new Map<number, LogLine[]>();
  readonly #listeners = new Set<() => void>();
  readonly #sources = new Map<number | 'newest', EventSource>();
  readonly #path: string;
  /** The attempt that was the newest when the page was opened. */
  readonly #from: number;
  readonly #onProgress: () => void;
  #frame = 0;
  #again: ReturnType<typeof setTimeout> | undefined;
  #state: LogState = 'connecting';
  #view: LogView;

  constructor(buildId: string, from: number, onProgress: () => void) {
    this.#from = from;
    this.#path = `/api/v1/imagebuilds/${encodeURIComponent(buildId)}/logs?Format=sse`;
    this.#onProgress = onProgress;
    this.#view = this.#look();
  }

  open(): () => void {
    this.#follow();
    return () => {
      clearTimeout(this.#again);
      for (const it of this.#sources.values()) it.close();
      this.#sources.clear();
      this.#lines.clear();
      cancelAnimationFrame(this.#frame);
      this.#frame = 0;
    };
  }

  #follow(): void {
    const source = this.#open('newest', this.#path);
    source.addEventListener('open', () => this.#set('live'));
    source.addEventListener('progress', () => this.#onProgress());
    source.addEventListener('end', () => {
      this.#set('ended');
      this.#onProgress();
    });
    source.addEventListener('error', () => {
      const closed = source.readyState === EventSource.CLOSED;
      this.#set(closed ? 'lost' : 'connecting');
      // The browser gives up for good where it gets no stream, as from a proxy while the api starts anew.
      if (closed) this.#again = setTimeout(() => this.#follow(), againMs);
    });
  }

  /** Reads an earlier attempt, too. */
  show(attempt: number): void {
    if (attempt < this.#from && !this.#sources.has(attempt)) this.#open(attempt, `${this.#path}&Attempt=${attempt}`);
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };
  readonly view = (): LogView => this.#view;

  #open(what: number | 'newest', path: string): EventSource {
    const source = new EventSource(path);
    this.#sources.set(what, source);
    source.addEventListener('log', (event) => this.#take(JSON.parse(String(event.data)) as LogEvent));
    source.addEventListener('reset', (event) => {
      this.#lines.delete((JSON.parse(String(event.data)) as { Attempt: number }).Attempt);
    });
    source.addEventListener('end', () => source.close());
    return source;
  }

  #take({ Attempt, Lines }: LogEvent): void {
    const known = this.#lines.get(Attempt) ?? [];
    const next = known.at(-1)?.n ?? -1;
    for (const it of Lines) if (it.Cursor - 1 > next) known.push(lineOf(it));
    this.#lines.set(Attempt, known);
    this.#changed();
  }

  #set(state: LogState): void {
    this.#state = state;
    this.#changed();
  }

  /** However many lines come at once, they are drawn once a frame. */
  #changed(): void {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.#view = this.#look();
      for (const it of this.#listeners) it();
    });
  }

  #look(): LogView {
    const lines = this.#lines;
    return {
      state: this.#state,
      attempt: Math.max(1, ...lines.keys()),
      linesOf: (attempt) => lines.get(attempt) ?? none,
    };
  }
}
