import { Fault, type FaultDetails, type Limits, stepDetails } from '@kiln/domain';
import { type JailReport } from '../jail/jail.ts';
import { type Progress } from './progress.ts';

/** What the engine said last that sounds like an error. */
export const lastWords = (tail: readonly string[]): string =>
  tail.findLast((it) => /^(?:Error|error|kiln-jail:|time=.*level=(?:fatal|error))/.test(it)) ?? tail.at(-1) ?? '';

export const plain = (words: string): string =>
  words.replace(/^Error: /, '').replace(/^(?:error )?building at STEP "(?:[^"\\]|\\.)*": /, '');

const mib = (bytes: number): string => `${Math.round(bytes / 2 ** 20)} MiB`;
const noRoom = /no space left on device|disk quota exceeded/i;
const noFork =
  /resource temporarily unavailable|can't fork|cannot fork|failed to create new OS thread|unable to create.*thread/i;
const noWay =
  /refused|unreachable|no route|timed? ?out|could not connect|cannot initiate the connection|connection (?:failed|reset)|failed to (?:connect|fetch)/i;

/** Whether a run had used up its disk. */
export const isFull = ({ diskLeastBytes, inodesLeast }: JailReport): boolean =>
  (diskLeastBytes ?? Infinity) < 1 << 20 || (inodesLeast ?? Infinity) < 16;

/** Which limit a failed run met, if any. */
function limitMet(
  { memoryPeakBytes, oomKills, forksRefused, timedOut, ...report }: JailReport,
  limits: Limits,
  tail: readonly string[],
):
  | { code: 'OutOfMemory' | 'DiskLimitExceeded' | 'ProcessLimitExceeded' | 'RunTimeout'; why: string; hint: string }
  | undefined {
  const says = (words: RegExp) => tail.some((it) => words.test(it));
  if (timedOut)
    return {
      code: 'RunTimeout',
      why: `it ran longer than ${limits.seconds} s`,
      hint: 'choose a resource class with more time, or do less in this build',
    };
  if (oomKills > 0)
    return {
      code: 'OutOfMemory',
      why: `it used up its memory: peak ${mib(memoryPeakBytes)} of ${mib(limits.memoryBytes)}`,
      hint: 'ask for more in Resource (EcsSpec or ResourceConfig.Memory), or use less, for instance with fewer parallel jobs',
    };
  if (isFull({ ...report, memoryPeakBytes, oomKills, forksRefused, timedOut }) || says(noRoom))
    return {
      code: 'DiskLimitExceeded',
      why: `it used up its disk of ${mib(limits.diskBytes)}`,
      hint: 'choose a resource class with more disk, or remove files in the step that makes them',
    };
  if (forksRefused > 0 && says(noFork))
    return {
      code: 'ProcessLimitExceeded',
      why: `it started more than ${limits.pids} processes and threads`,
      hint: 'start fewer at once; some programs start one for each processor of the host',
    };
  return undefined;
}

/**
 * Turns a failed build's output and report into an error that says where, what and what to do.
 * @param hostFull whether the builder's own disk was seen to be full
 */
export function diagnoseBuild(progress: Progress, report: JailReport, limits: Limits, hostFull: boolean): Fault {
  const { step, tail } = progress;
  const words = lastWords(tail);
  const details: FaultDetails = { ...(step && stepDetails(step)), logTail: tail };
  if (hostFull) return new Fault('BuilderDiskFull', `the builder's disk is full: ${plain(words)}`, details);
  const where = step
    ? `step "${step.keyword} ${step.text.slice(0, 120).toWellFormed()}" (line ${step.lines[0]})`
    : 'the build';
  const limit = limitMet(report, limits, tail);
  if (limit) return new Fault(limit.code, `${where} was stopped: ${limit.why}`, { ...details, hint: limit.hint });
  if (step === undefined) {
    const why = `the engine ended with code ${report.exitCode} before the first step: ${plain(words)}`;
    return new Fault('EngineFailed', why, details);
  }

  if (report.refused.length > 0 && tail.some((it) => noWay.test(it))) {
    const refused = report.refused.map((it) => `${it.address} port ${it.port}/${it.protocol}`).join(', ');
    return new Fault('NetworkDenied', `${where} tried to reach what this build may not: ${refused}`, {
      ...details,
      hint: 'an operator can open addresses in a network profile, which UserVpc.VpcId names',
    });
  }
  const exit = /exit status (\d+)/.exec(words);
  if (step.keyword === 'RUN' && exit) {
    const exitCode = Number(exit[1]);
    return new Fault('StepFailed', `${where} ended with exit code ${exitCode}`, { ...details, exitCode });
  }
  return new Fault('StepFailed', `${where} failed: ${plain(words)}`, details);
}
