import { Fault, type ErrorCode } from '@kiln/schemas';
import { type ParsedDockerfile, type Step } from '../dockerfile.ts';

/** How many of the last lines an error carries. */
const tailMax = 40;

/** Follows a build's output: which step it is at, and its last lines. */
export class Progress {
  readonly #parsed: ParsedDockerfile;
  #step: Step | undefined;
  #tail: string[] = [];

  constructor(parsed: ParsedDockerfile) {
    this.#parsed = parsed;
  }

  take(line: string): void {
    const [, stage = '1', index, keyword] = /^(?:\[(\d+)\/\d+\] )?STEP (\d+)\/\d+: ([A-Z]+)/i.exec(line) ?? [];
    // A command may print such a line too: it counts only when the Dockerfile has that step.
    const step =
      index === undefined
        ? undefined
        : this.#parsed.steps.find(
            (it) => it.stage === Number(stage) && it.index === Number(index) && it.keyword === keyword?.toUpperCase(),
          );
    if (step) {
      this.#step = step;
      this.#tail = [];
    } else {
      this.#tail.push(line);
      if (this.#tail.length > tailMax) this.#tail.shift();
    }
  }

  get step(): Step | undefined {
    return this.#step;
  }

  get tail(): string[] {
    return [...this.#tail];
  }
}

// The engine speaks in sentences only. Each row: what its last words hold, what that means. The first that fits counts.
const pullFailures: [RegExp, ErrorCode][] = [
  [/unauthorized|authentication required|access denied|denied:|forbidden|invalid username\/password|403|401/i, 'BaseImageDenied'],
  [/manifest unknown|not found|name unknown|repository name not known|404/i, 'BaseImageNotFound'],
  [/connection refused|no such host|timeout|deadline exceeded|server misbehaving|unreachable|reset by peer|tls:|x509|EOF|toomanyrequests|50\d/i, 'RegistryUnreachable'],
]; // prettier-ignore

const pushFailures: [RegExp, ErrorCode][] = [
  [
    /unauthorized|authentication required|access denied|denied:|forbidden|invalid username\/password|insufficient_scope/i,
    'PushDenied',
  ],
];

const lastWords = (tail: string[]): string =>
  tail.findLast((it) => /^(?:Error|error|time=.*level=(?:fatal|error))/.test(it)) ?? tail.at(-1) ?? '';

const plain = (words: string): string =>
  words.replace(/^Error: /, '').replace(/^(?:error )?building at STEP "(?:[^"\\]|\\.)*": /, '');

/**
 * Turns a failed build's output into an error that says where, what and what to do.
 * @param diskFull whether the builder's own disk was seen to be full meanwhile
 */
export function diagnoseBuild(progress: Progress, exitCode: number, diskFull: boolean): Fault {
  const { step, tail } = progress;
  const words = lastWords(tail);
  const at = step && { step: `${step.keyword} ${step.text}`.slice(0, 2000).toWellFormed(), lines: step.lines };
  const details = { ...at, logTail: tail };
  if (diskFull || /no space left on device/.test(words))
    return new Fault('BuilderDiskFull', `the builder's disk is full: ${plain(words)}`, details);
  if (step === undefined)
    return new Fault(
      'EngineFailed',
      `the engine ended with code ${exitCode} before the first step: ${plain(words)}`,
      details,
    );
  const where = `step "${step.keyword} ${step.text.slice(0, 120).toWellFormed()}" (line ${step.lines[0]})`;

  const exit = /exit status (\d+)/.exec(words);
  if (step.keyword === 'RUN' && exit) {
    const code = Number(exit[1]);
    const hint =
      code === 137
        ? 'the command was killed, most often because memory ran out'
        : code === 127
          ? 'the command was not found in the image'
          : undefined;
    return new Fault('StepFailed', `${where} ended with exit code ${code}`, {
      ...details,
      exitCode: code,
      ...(hint ? { hint } : {}),
    });
  }
  const pulling =
    step.keyword === 'FROM' ||
    /creating build container|initializing source|pinging container registry|reading manifest|reading blob/i.test(
      words,
    );
  const pull = pulling ? pullFailures.find(([pattern]) => pattern.test(words)) : undefined;
  if (pull) return new Fault(pull[1], `${where}: ${plain(words)}`, details);
  const copied = (step.keyword === 'COPY' || step.keyword === 'ADD') && /no such file|no items matching/i.test(words);
  const hint = copied
    ? { hint: 'a build has no files of its own: copy from another stage or image, or ADD a URL' }
    : {};
  return new Fault('StepFailed', `${where} failed: ${plain(words)}`, { ...details, ...hint });
}

/** Turns a failed push's output into an error. */
export function diagnosePush(tail: string[], target: string): Fault {
  const words = lastWords(tail);
  const [, code] = pushFailures.find(([pattern]) => pattern.test(words)) ?? [undefined, 'PushFailed' as const];
  return new Fault(code, `push to ${target}: ${plain(words)}`, { logTail: tail });
}
