import type { ParsedDockerfile, StepResult } from '@kiln/domain';
import type { StepRun } from '../engine.ts';
import { type Line, LineSplitter } from '../lines.ts';
import type { StatusResponse, Timestamp, Vertex, Warning } from './messages.ts';
import type { Plan } from './plan.ts';

/** How many of the last lines an error carries. */
const tailMax = 40;
/** A frontend has some thirty rules, and may name each line that breaks one. */
const warningsMax = 200;

/** A step of which something runs, or has run. */
interface Shown {
  /** What it is called in the log: `#3`. */
  mark: string;
  run: StepRun;
  /** Digests of its operations that have not ended. */
  open: Set<string>;
  cached: boolean;
  tail: string[];
  splitter: LineSplitter;
}

const aDayMs = 86_400_000;

/** A moment as the daemon tells it; now, when that is one at which no build of today can have run. */
function dateOf({ seconds, nanos }: Timestamp): Date {
  const ms = seconds * 1000 + nanos / 1e6;
  return new Date(Math.abs(ms - Date.now()) < aDayMs ? ms : Date.now());
}

const isTakenAlong = (error: string): boolean => /context canceled|code = Canceled/.test(error);

export interface ProgressListener {
  onStep?: ((run: StepRun) => void) | undefined;
  onLine(line: string, partial: boolean, step: number): Promise<void>;
}

/** A rule of the frontend's linter and what it says: `line 3: StageNameCasing: Stage name 'A' should be lowercase`. */
function textOf({ short, ranges }: Warning): string {
  const line = ranges[0]?.start?.line ?? 0;
  const text = short.toString().slice(0, 500).toWellFormed();
  return line > 0 ? `line ${line}: ${text.replace(/ \(line \d+\)$/, '')}` : text;
}

/** Follows a build: which steps run, what they print, and which one failed. */
export class Progress {
  readonly #parsed: ParsedDockerfile;
  readonly #listener: ProgressListener;
  #plan: Plan = { steps: new Map() };
  readonly #shown = new Map<number, Shown>();
  readonly #warned = new Set<string>();
  /** The step whose output came last. */
  #last: Shown | undefined;
  /** The step that failed, and what the daemon says of it. */
  failed: { number: number; error: string } | undefined;

  constructor(parsed: ParsedDockerfile, listener: ProgressListener) {
    this.#parsed = parsed;
    this.#listener = listener;
  }

  /** What came before belongs to the making of the plan. */
  follow(plan: Plan): void {
    this.#plan = plan;
  }

  async take({ vertexes, logs, warnings }: StatusResponse): Promise<void> {
    for (const it of warnings) await this.#warn(textOf(it));
    for (const it of vertexes)
      for (const number of this.#plan.steps.get(it.digest) ?? []) await this.#takeVertex(it, number);
    for (const { vertex, msg } of logs) {
      const shown = this.#shown.get(this.#plan.steps.get(vertex)?.[0] ?? 0);
      if (shown) await this.#print(shown, shown.splitter.take(msg));
    }
  }

  async #warn(text: string): Promise<void> {
    if (this.#warned.has(text) || this.#warned.size === warningsMax) return;
    this.#warned.add(text);
    for (const line of new LineSplitter().take(Buffer.from(`kiln: warning: ${text}\n`)))
      await this.#listener.onLine(line.text, line.partial, 0);
  }

  async #takeVertex(vertex: Vertex, number: number): Promise<void> {
    const step = this.#parsed.steps[number - 1];
    if (!step || !vertex.started) return;
    let shown = this.#shown.get(number);
    if (!shown) {
      const open = new Set([...this.#plan.steps].filter(([, it]) => it.includes(number)).map(([digest]) => digest));
      shown = {
        mark: `#${this.#shown.size + 1}`,
        run: { number, step, startedAt: dateOf(vertex.started) },
        open,
        cached: true,
        tail: [],
        splitter: new LineSplitter(),
      };
      this.#shown.set(number, shown);
      this.#listener.onStep?.(shown.run);
      await this.#head(shown);
    }
    if (!vertex.completed) return this.#reopen(shown, vertex.digest);
    if (vertex.error !== '') return this.#fail(shown, vertex.error, dateOf(vertex.completed));
    if (!shown.open.delete(vertex.digest)) return;
    shown.cached &&= vertex.cached;
    if (shown.open.size === 0) await this.#end(shown, shown.cached ? 'cached' : 'ok', dateOf(vertex.completed));
  }

  /** An image is found first, which is an end, and fetched when it is needed. */
  #reopen(shown: Shown, digest: string): void {
    if (!shown.run.ended || shown.run.step.keyword !== 'FROM') return;
    const { number, step, startedAt } = shown.run;
    shown.open.add(digest);
    shown.run = { number, step, startedAt };
    this.#listener.onStep?.(shown.run);
  }

  async #fail(shown: Shown, error: string, at: Date): Promise<void> {
    // What another step's failure takes with it may be told before that failure itself.
    if (this.failed === undefined || isTakenAlong(this.failed.error)) this.failed = { number: shown.run.number, error };
    if (isTakenAlong(error)) return this.#end(shown, 'stopped', at);
    const exitCode = /exit code: (\d{1,3})\b/.exec(error)?.[1];
    await this.#end(shown, 'failed', at, exitCode === undefined ? undefined : Number(exitCode));
  }

  /** Says whose output comes next. */
  async #head(shown: Shown): Promise<void> {
    this.#last = shown;
    const { step } = shown.run;
    const text = `${step.keyword} ${step.text}`.split('\n')[0] ?? '';
    await this.#say(shown, text.slice(0, 500).toWellFormed());
  }

  async #print(shown: Shown, lines: Line[]): Promise<void> {
    for (const { text, partial } of lines) {
      if (this.#last !== shown) await this.#head(shown);
      shown.tail.push(text);
      if (shown.tail.length > tailMax) shown.tail.shift();
      await this.#listener.onLine(text, partial, shown.run.number);
    }
  }

  #say({ mark, run }: Shown, text: string): Promise<void> {
    return this.#listener.onLine(`${mark} ${text}`, false, run.number);
  }

  async #end(shown: Shown, result: StepResult, at: Date, exitCode?: number): Promise<void> {
    if (shown.run.ended) return;
    await this.#print(shown, shown.splitter.end());
    const seconds = ((at.getTime() - shown.run.startedAt.getTime()) / 1000).toFixed(1);
    const how = { ok: `DONE ${seconds}s`, cached: 'CACHED', failed: 'ERROR', stopped: 'CANCELED' }[result];
    // An image may be fetched later.
    if (shown.run.step.keyword !== 'FROM' || result === 'failed') await this.#say(shown, how);
    shown.run = { ...shown.run, ended: { at, result, exitCode } };
    this.#listener.onStep?.(shown.run);
  }

  /** Ends what still runs, when the build was stopped or its daemon has gone. */
  async stop(): Promise<void> {
    for (const it of this.#shown.values()) if (!it.run.ended) await this.#end(it, 'stopped', new Date());
  }

  /** The step that began last, of those that have not ended when the build was stopped. */
  running(): number | undefined {
    return [...this.#shown.values()].findLast((it) => it.run.ended?.result === 'stopped')?.run.number;
  }

  /** The last lines that a step printed; of the one that printed last when no number is given. */
  tailOf(number?: number): string[] {
    return [...((number === undefined ? this.#last : this.#shown.get(number))?.tail ?? [])];
  }
}
