import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stepRuntime } from './step-groups.ts';

const dir = mkdtempSync(join(tmpdir(), 'kiln-step-'));
afterAll(() => rmSync(dir, { recursive: true }));

interface StepConfig {
  process: { env: string[] };
  linux: { cgroupsPath: string; namespaces?: { type: string }[] };
}

/** Runs a step's bundle with a runtime that does nothing but say what it was given. */
function run(config: StepConfig): { config: StepConfig; said: string } {
  const program = join(dir, 'step-runtime');
  writeFileSync(program, stepRuntime(['no-such-runtime', 'said-runtime']), { mode: 0o755 });
  writeFileSync(join(dir, 'said-runtime'), '#!/bin/sh\necho "$@"; readlink /proc/self/ns/net\n');
  chmodSync(join(dir, 'said-runtime'), 0o755);
  mkdirSync(join(dir, 'bundle'), { recursive: true });
  writeFileSync(join(dir, 'bundle/config.json'), JSON.stringify(config));
  const said = execFileSync(program, ['--log', 'x', 'run', '--bundle', join(dir, 'bundle'), 'id'], {
    env: { PATH: `${dir}:${process.env['PATH']}` },
    encoding: 'utf8',
  });
  return { config: JSON.parse(readFileSync(join(dir, 'bundle/config.json'), 'utf8')) as StepConfig, said };
}

const env = (...more: string[]) => ({ env: ['PATH=/bin', ...more, 'HOME=/'] });
const mine = ['NO_PROXY=kiln-build-b1-2', 'no_proxy=kiln-build-b1-2'];

it('a step runs in the group of its build, and does not see how that was told', () => {
  const { config, said } = run({ process: env(...mine), linux: { cgroupsPath: '/steps/buildkit/x', namespaces: [] } });
  expect(config).toEqual({ process: env(), linux: { cgroupsPath: '/build-b1-2/buildkit/x', namespaces: [] } });
  expect(said).toContain(`--log x run --bundle ${join(dir, 'bundle')} id\n`);
});

it('the group is the last that is named: the Dockerfile may name another one', () => {
  const { config } = run({
    process: env('NO_PROXY=kiln-build-other-1', ...mine),
    linux: { cgroupsPath: '/steps/buildkit/x' },
  });
  expect(config.linux.cgroupsPath).toBe('/build-b1-2/buildkit/x');
});

it('a step without a network gets one without anything in it, and others stay where they are', () => {
  const network = { type: 'network' };
  const { config, said } = run({
    process: env(...mine),
    linux: { cgroupsPath: '/steps/x', namespaces: [{ type: 'pid' }, network] },
  });
  expect(config.linux.namespaces).toEqual([{ type: 'pid' }]);
  const own = execFileSync('readlink', ['/proc/self/ns/net'], { encoding: 'utf8' });
  expect(said).not.toContain(own);
  expect(run({ process: env(...mine), linux: { cgroupsPath: '/steps/x', namespaces: [] } }).said).toContain(own);
});
