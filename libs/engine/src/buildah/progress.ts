import { type ParsedDockerfile, type Step } from '../dockerfile.ts';

/** How many of the last lines an error carries. */
const tailMax = 40;

/** Follows a build's output: which step it is at, and its last lines. */
export class Progress {
  readonly #parsed: ParsedDockerfile;
  #step: Step | undefined;
  #tail: string[] = [];
  #cut = false;

  constructor(parsed: ParsedDockerfile) {
    this.#parsed = parsed;
  }

  /**
   * @param goesOn whether the line was cut, and its rest comes next
   * @returns the line as people are to see it: what a stage starts from by its name, not by the engine's id; undefined when it is
   * about names that the engine gives to images
   */
  take(line: string, goesOn: boolean): string | undefined {
    const isRest = this.#cut;
    this.#cut = goesOn;
    if (/^(?:Successfully tagged|COMMIT) localhost\/kiln\//.test(line)) return undefined;
    const [, stage = '1', index, keyword] = /^(?:\[(\d+)\/\d+\] )?STEP (\d+)\/\d+: ([A-Z]+)/i.exec(line) ?? [];
    // A command may print such a line too: it counts only when the Dockerfile has that step.
    const step =
      index === undefined || isRest
        ? undefined
        : this.#parsed.steps.find(
            (it) => it.stage === Number(stage) && it.index === Number(index) && it.keyword === keyword?.toUpperCase(),
          );
    if (step) {
      this.#step = step;
      this.#tail = [];
      return step.keyword === 'FROM' ? line.replace(/(: FROM ).*$/i, (_, begin: string) => begin + step.text) : line;
    }
    // Of a line that is too long, the beginning says enough.
    if (!isRest) this.#tail.push(line);
    if (this.#tail.length > tailMax) this.#tail.shift();
    return line;
  }

  get step(): Step | undefined {
    return this.#step;
  }

  get tail(): string[] {
    return [...this.#tail];
  }
}
