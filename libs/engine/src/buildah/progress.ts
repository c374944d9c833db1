import { type StepResult, type ParsedDockerfile, type Step } from '@kiln/domain';
import { type StepRun } from '../engine.ts';

/** How many of the last lines an error carries. */
const tailMax = 40;

/** Follows a build's output: which step it is at, and its last lines. */
export class Progress {
  readonly #parsed: ParsedDockerfile;
  readonly #onStep: ((run: StepRun) => void) | undefined;
  #run: StepRun | undefined;
  #cached = false;
  #tail: string[] = [];
  #cut = false;

  constructor(parsed: ParsedDockerfile, onStep?: (run: StepRun) => void) {
    this.#parsed = parsed;
    this.#onStep = onStep;
  }

  /**
   * @param partial whether the line was cut, and its rest comes next
   * @returns the line as people are to see it: what a stage starts from by its name, not by the engine's id; undefined
   * when it is about names that the engine gives to images
   */
  take(line: string, partial: boolean): string | undefined {
    const isRest = this.#cut;
    this.#cut = partial;
    if (/^(?:\[\d+\/\d+\] )?(?:Successfully tagged|COMMIT) localhost\/kiln\//.test(line)) return undefined;
    const [, stage = '1', index, keyword] = /^(?:\[(\d+)\/\d+\] )?STEP (\d+)\/\d+: ([A-Z]+)/i.exec(line) ?? [];
    // A command may print such a line too: it counts only when the Dockerfile has that step, and it comes after the
    // last one.
    const step =
      index === undefined || isRest
        ? undefined
        : this.#parsed.steps
            .slice(this.#run?.number ?? 0)
            .find(
              (it) => it.stage === Number(stage) && it.index === Number(index) && it.keyword === keyword?.toUpperCase(),
            );
    if (step) {
      this.end('ok');
      this.#run = { number: this.#parsed.steps.indexOf(step) + 1, step, startedAt: new Date() };
      this.#cached = false;
      this.#onStep?.(this.#run);
      this.#tail = [];
      return step.keyword === 'FROM' ? line.replace(/(: FROM ).*$/i, (_, begin: string) => begin + step.text) : line;
    }
    // The engine says so in the place of all that the step would print.
    if (/^--> Using cache [0-9a-f]{64}$/.test(line) && this.#tail.length === 0) this.#cached = true;
    // Of a line that is too long, the beginning says enough.
    if (!isRest) this.#tail.push(line);
    if (this.#tail.length > tailMax) this.#tail.shift();
    return line;
  }

  /** Ends the step that it is at. */
  end(result: StepResult, exitCode?: number): void {
    if (!this.#run) return;
    const how = result === 'ok' && this.#cached ? 'cached' : result;
    const run = { ...this.#run, ended: { at: new Date(), result: how, exitCode } };
    this.#onStep?.(run);
  }

  get step(): Step | undefined {
    return this.#run?.step;
  }

  get tail(): string[] {
    return [...this.#tail];
  }
}
