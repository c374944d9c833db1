export const checkResults = ['pass', 'fail', 'unknown', 'not-applicable'] as const;
export type CheckResult = (typeof checkResults)[number];

export const severities = ['error', 'warning'] as const;
export type Severity = (typeof severities)[number];

/** Facts that have a version. */
export const versionedFacts = ['python', 'cuda', 'cudnn', 'nccl', 'cann', 'glibc'] as const;
export type VersionedFact = (typeof versionedFacts)[number];

/** What a rule asks of an image; paths are absolute. */
export type Check =
  /** A user of that number, with what else is named of it. */
  | {
      kind: 'user';
      uid: number;
      gid?: number | undefined;
      name?: string | undefined;
      group?: string | undefined;
      home?: string | undefined;
    }
  /** Whom the image runs as: one of these names or numbers. */
  | { kind: 'run-as'; users: string[] }
  /** Bytes at most: of the layers as they are sent, or unpacked. */
  | { kind: 'size'; of: 'compressed' | 'unpacked'; max: number }
  /** No file whose path matches one of these expressions. */
  | { kind: 'no-file'; paths: string[] }
  /** Nothing in these folders. */
  | { kind: 'empty'; folders: string[] }
  /** Files that are there. */
  | { kind: 'file'; paths: string[] }
  /** Programs that PATH leads to. */
  | { kind: 'programs'; names: string[] }
  /** A variable, with a value where one is named. */
  | { kind: 'env'; name: string; value?: string | undefined }
  | { kind: 'working-dir'; path: string }
  /** The program that the image runs is named, and there; `cmd` has to be set. */
  | { kind: 'command'; cmd?: boolean | undefined }
  /** Ports that have to be exposed, and ports that may not be. */
  | { kind: 'ports'; exposed?: number[] | undefined; reserved?: number[] | undefined }
  /** Programs and libraries are of the architecture that the image says. */
  | { kind: 'architecture'; only?: string[] | undefined }
  | { kind: 'version'; of: VersionedFact; min?: string | undefined; max?: string | undefined; required: boolean }
  /** The driver of the machines runs its CUDA; nobody knows where an operator has not told which one that is. */
  | { kind: 'driver'; nvidia?: string | undefined }
  /** One package of each of these lists: `jupyterlab`, `jupyterlab>=3`. */
  | { kind: 'packages'; anyOf: string[][] }
  /** Conda is found without being activated. */
  | { kind: 'conda' }
  /** No file that runs as its owner but these. */
  | { kind: 'setuid'; except: string[] };

export interface Rule {
  id: string;
  title: string;
  severity: Severity;
  /** Only for images for one of these: ModelArts' resource categories. */
  categories?: string[] | undefined;
  check: Check;
  /** Lines of a Dockerfile that mend it. */
  fix: string[];
  /** Where the rule is written, and when that was. */
  source: string;
  date: string;
}

/** What a platform asks of images for one of its services. */
export interface Profile {
  name: string;
  title: string;
  version: number;
  rules: Rule[];
  /** What the platform expects that no look at an image can tell. */
  notes: string[];
}

export interface Checked {
  rule: string;
  title: string;
  severity: Severity;
  result: CheckResult;
  /** What was found, in a sentence. */
  found: string;
  /** Where: a path in the image, and its layer from 0. */
  path?: string;
  layer?: number;
  /** Lines of a Dockerfile; of what failed. */
  fix?: string[];
  source: string;
  /** Only for images for one of these. */
  categories?: string[];
}

/** An image held against one profile. */
export interface ProfileResult {
  profile: string;
  title: string;
  version: number;
  checks: Checked[];
  notes: string[];
}

/**
 * What of a profile's checks is meant for images of these resource categories.
 * @param categories those of most images where nobody told any
 */
export const checksFor = (checks: readonly Checked[], categories: readonly string[] = ['CPU', 'GPU']): Checked[] =>
  checks.map((it) => {
    if (!it.categories || it.categories.some((one) => categories.includes(one))) return it;
    const { rule, title, severity, source } = it;
    return { rule, title, severity, source, result: 'not-applicable', found: `only for ${it.categories.join(', ')}` };
  });

/** An image fails a profile when one of its errors does. */
export const verdicts = ['pass', 'warn', 'fail', 'unknown'] as const;
export type Verdict = (typeof verdicts)[number];
export const verdictOf = (checks: readonly Pick<Checked, 'result' | 'severity'>[]): Verdict =>
  checks.some((it) => it.result === 'fail' && it.severity === 'error')
    ? 'fail'
    : checks.some((it) => it.result === 'unknown' && it.severity === 'error')
      ? 'unknown'
      : checks.some((it) => it.result === 'fail')
        ? 'warn'
        : 'pass';
