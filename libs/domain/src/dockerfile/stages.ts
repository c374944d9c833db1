import { contextName } from '../images/context-name.ts';
import { invalid } from './step.ts';

/** Images by the names that stand for them; of a name that stands for files, undefined. */
export type NamedImages = ReadonlyMap<string, string | undefined>;

interface Stage {
  name: string | undefined;
  /** Whether a named context stands in its place. */
  isReplaced: boolean;
  /** Numbers of the stages that it needs, from 1, and images, with the line that names each. */
  needs: ({ stage: number } | { image: string; line: number })[];
}

/** The stages of a Dockerfile, in order, and what each needs of others. */
export class Stages {
  readonly #stages: Stage[] = [];
  readonly #named: NamedImages;

  constructor(named: NamedImages = new Map()) {
    this.#named = named;
  }

  get count(): number {
    return this.#stages.length;
  }

  /** Number of an earlier stage that is called so. */
  #numberOf(name: string): number | undefined {
    const found = this.#stages.findLastIndex((it) => it.name === name.toLowerCase());
    return found < 0 ? undefined : found + 1;
  }

  /** Whether a named context stands in the place of a stage with this name. BuildKit keeps two names for itself. */
  isReplaced(name: string | undefined): boolean {
    const lower = name?.toLowerCase();
    return lower !== undefined && lower !== 'context' && lower !== 'scratch' && this.#named.has(lower);
  }

  /**
   * Begins a stage.
   * @throws Fault DockerfileInvalid
   */
  begin(from: string, name: string | undefined, line: number): void {
    if (name !== undefined && !/^[a-z][a-z0-9_.-]*$/i.test(name))
      throw invalid(line, `${JSON.stringify(name)} is not a stage name`);
    const earlier = this.#numberOf(from);
    const isReplaced = this.isReplaced(name);
    this.#stages.push({ name: name?.toLowerCase(), isReplaced, needs: [] });
    if (isReplaced && name !== undefined) this.#needImage(name.toLowerCase(), line);
    else if (earlier !== undefined) this.#need({ stage: earlier });
    else this.#needImage(from, line);
  }

  /**
   * Notes that the stage which has begun last needs files of another stage, or of an image; COPY may name a number.
   * @returns whether it is a stage
   */
  use(from: string, line: number, isCopy: boolean): boolean {
    const number = isCopy && /^\d+$/.test(from) ? Number(from) + 1 : this.#numberOf(from);
    const isStage = number !== undefined;
    if (this.#stages.at(-1)?.isReplaced) return isStage;
    if (isStage) this.#need({ stage: number });
    else this.#needImage(from, line);
    return isStage;
  }

  #needImage(image: string, line: number): void {
    const name = contextName(image);
    const isOfFiles = this.#named.has(name) && this.#named.get(name) === undefined;
    if (image !== 'scratch' && !isOfFiles) this.#need({ image, line });
  }

  #need(it: Stage['needs'][number]): void {
    this.#stages.at(-1)?.needs.push(it);
  }

  /** Numbers of the stages that are built: the target, and all that it needs. */
  built(target: string | undefined): Set<number> {
    const last = target === undefined ? this.count : (this.#numberOf(target) ?? this.count);
    const found = new Set<number>();
    const waiting = [last];
    for (let number = waiting.pop(); number !== undefined; number = waiting.pop()) {
      if (found.has(number)) continue;
      found.add(number);
      for (const it of this.#stages[number - 1]?.needs ?? []) if ('stage' in it) waiting.push(it.stage);
    }
    return found;
  }

  /** Images that some of the stages need, in the order of the Dockerfile. */
  imagesOf(numbers: ReadonlySet<number>): { name: string; line: number }[] {
    return this.#stages.flatMap(({ needs }, index) =>
      numbers.has(index + 1) ? needs.flatMap((it) => ('image' in it ? [{ name: it.image, line: it.line }] : [])) : [],
    );
  }
}
