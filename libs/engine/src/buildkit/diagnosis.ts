import type { Metadata } from '@grpc/grpc-js';
import { Fault, type FaultDetails, type Limits, type Step, stepDetails } from '@kiln/domain';
import type { GroupUsage } from '../jail/cgroups.ts';
import type { RefusedDestination } from '../jail/network.ts';

/** How a build's steps went. */
export interface StepsReport extends GroupUsage {
  timedOut: boolean;
  /** The least that was ever left on its disk. */
  disk: 'enough' | 'full' | 'over its limit';
  refused: RefusedDestination[];
  /** Whether the builder's own disk is full. */
  hostFull: boolean;
}

const mib = (bytes: number): string => `${Math.round(bytes / 2 ** 20)} MiB`;
const noRoom = /no space left on device|disk quota exceeded/i;
export const saysDiskFull = (words: string): boolean => noRoom.test(words);

/** Whether a daemon could not speak to the gateway of its build, which is none of the build's fault. */
export const isGatewayAway = (words: string, host: string): boolean =>
  words.includes(host) && /failed to do request|x509:|dial tcp|tls: /.test(words);

const noMemory = /\bkilled\b|out of memory|cannot allocate memory|MemoryError|bad_alloc/i;
const noFork =
  /resource temporarily unavailable|can't fork|cannot fork|failed to create new OS thread|unable to create.*thread/i;
const noWay =
  /refused|unreachable|no route|timed? ?out|could not connect|cannot initiate the connection|connection (?:failed|reset)|failed to (?:connect|fetch)/i;

interface MetLimit {
  code: 'OutOfMemory' | 'DiskLimitExceeded' | 'ProcessLimitExceeded' | 'RunTimeout';
  why: string;
  hint: string;
}

/** Which limit a failed build met, if any. */
function limitMet(
  report: StepsReport,
  limits: Limits,
  exitCode: number | undefined,
  tail: readonly string[],
): MetLimit | undefined {
  const says = (words: RegExp) => tail.some((it) => words.test(it));
  if (report.timedOut)
    return {
      code: 'RunTimeout',
      why: `it ran longer than ${limits.seconds} s`,
      hint: 'choose a resource class with more time, or do less in this build',
    };
  if (report.metMemoryLimit && (exitCode === 137 || says(noMemory)))
    return {
      code: 'OutOfMemory',
      why: `it used up its memory: peak ${mib(report.memoryPeakBytes)} of ${mib(limits.memoryBytes)}`,
      hint: 'ask for more in Resource (EcsSpec or ResourceConfig.Memory), or use less, for instance with fewer parallel jobs',
    };
  if (report.disk !== 'enough' || says(noRoom))
    return {
      code: 'DiskLimitExceeded',
      why: `it used up its disk of ${mib(limits.diskBytes)}`,
      hint: 'choose a resource class with more disk, or remove files in the step that makes them',
    };
  if (report.metPidsLimit && says(noFork))
    return {
      code: 'ProcessLimitExceeded',
      why: `it started more than ${limits.pids} processes and threads`,
      hint: 'start fewer at once; some programs start one for each processor of the host',
    };
  return undefined;
}

/** What an error says, whoever threw it. */
export const wordsOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** The line of the Dockerfile that the daemon blames beside its words. */
function lineOf(error: unknown): number | undefined {
  const [details] = (error as { metadata?: Metadata }).metadata?.get('grpc-status-details-bin') ?? [];
  const [, line] = /"ranges":\[\{"start":\{"line":(\d{1,6})\b/.exec(details?.toString() ?? '') ?? [];
  return line === undefined ? undefined : Number(line);
}

/** What the daemon says, without what it says of itself. */
export const plainWords = (error: string): string =>
  error
    .replace(/^\d+ [A-Z_]+: /, '')
    .replace(/^failed to (?:solve|compute cache key): /, '')
    .replace(/failed to calculate checksum of ref [\w:]+: /, '')
    .replace(/\/run\/kiln\/store\S*?\/buildkit-mount\d+/g, '')
    .slice(0, 1000)
    .toWellFormed();

const place = ({ keyword, text, lines }: Step): string =>
  `step "${`${keyword} ${text}`.slice(0, 120).toWellFormed()}" (line ${lines[0]})`;

/** What a build meets when its builder has no disk left: another one may do it. */
export const diskFull = (error: string, logTail: string[] = []): Fault =>
  new Fault('BuilderDiskFull', `the builder's disk is full: ${plainWords(error)}`, { logTail });

/** An image that could not be packed and sent. */
export function diagnosePush(error: unknown, isHostFull: boolean): Fault {
  const words = wordsOf(error);
  if (isHostFull) return diskFull(words);
  if (noRoom.test(words))
    return new Fault(
      'DiskLimitExceeded',
      `the build used up its disk when its image was packed: ${plainWords(words)}`,
      { hint: 'choose a resource class with more disk' },
      error,
    );
  return new Fault('PushFailed', `push: ${plainWords(words)}`, {}, error);
}

/** A step that failed: an error that says where, what and what to do. */
export function diagnoseStep(step: Step, error: string, tail: string[], report: StepsReport, limits: Limits): Fault {
  const details: FaultDetails = { ...stepDetails(step), logTail: tail };
  const exitText = /did not complete successfully: exit code: (\d{1,3})\b/.exec(error)?.[1];
  const exitCode = exitText === undefined ? undefined : Number(exitText);
  const limit = limitMet(report, limits, exitCode, [...tail, error]);
  if (limit) return new Fault(limit.code, `${place(step)} was stopped: ${limit.why}`, { ...details, hint: limit.hint });
  if (report.refused.length > 0 && [...tail, error].some((it) => noWay.test(it))) {
    const refused = report.refused.map((it) => `${it.address} port ${it.port}/${it.protocol}`).join(', ');
    return new Fault('NetworkDenied', `${place(step)} tried to reach what this build may not: ${refused}`, {
      ...details,
      hint: 'an operator can open addresses in a network profile, which UserVpc.VpcId names',
    });
  }
  if (exitCode !== undefined)
    return new Fault('StepFailed', `${place(step)} ended with exit code ${exitCode}`, { ...details, exitCode });
  return new Fault('StepFailed', `${place(step)} failed: ${plainWords(error)}`, details);
}

/** A Dockerfile that the frontend does not take: its own words, with the line. */
export function diagnoseDockerfile(error: unknown, steps: readonly Step[]): Fault | undefined {
  const words = plainWords(wordsOf(error)).replace(/^dockerfile parse error on line \d+: /, '');
  const said = /(?:on|at) line (\d+)|Dockerfile:(\d+)/.exec(wordsOf(error))?.slice(1).find(Boolean);
  const line = said === undefined ? lineOf(error) : Number(said);
  const isMistake =
    /parse error|dockerfile|failed to process|unknown (?:flag|instruction)|invalid|unsupported|requires|target stage|circular|not found|syntax error|cannot|no build stage/i;
  if (!isMistake.test(wordsOf(error))) return undefined;
  const step = steps.find(({ lines: [first, last] }) => line !== undefined && first <= line && line <= last);
  if (!step) return new Fault('DockerfileInvalid', words);
  return new Fault('DockerfileInvalid', `line ${line}: ${words}`, stepDetails(step));
}
