import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describeFault } from '../../builds/build-error.ts';
import { diagnose, type Failure } from './diagnose.ts';
import { Fault } from '../fault.ts';
import { rules } from './rules.ts';

interface Captured {
  reason: string;
  dockerfile: string;
  failure: Failure;
}

/** What real builds said when they failed; `npm run failures` writes it anew. */
const captured = JSON.parse(readFileSync(join(import.meta.dirname, 'failures.json'), 'utf8')) as Captured[];

describe('a failure', () => {
  it.each(captured.map((it) => [it.reason, it.dockerfile.slice(-60), it.failure] as const))(
    '%s (…%s) is named, with a cause and what to do',
    (reason, _, failure) => {
      const found = diagnose(failure);
      expect(found?.reason).toBe(reason);
      // Nothing was left to be filled in.
      expect(found?.cause).not.toMatch(/\$\d|undefined|\bno it\b/);
      expect(found?.suggestion).not.toMatch(/undefined/);
    },
  );

  it('that no rule knows is left without a name', () => {
    expect(
      diagnose({ code: 'StepFailed', message: 'step "RUN x" ended with exit code 3', exitCode: 3, logTail: ['hm'] }),
    ).toBeUndefined();
  });

  it('shows the lines that say why, and keeps the hint of the code that failed', () => {
    const logTail = [
      'Reading package lists...',
      'Building dependency tree...',
      'E: Unable to locate package cudnn',
      'last',
    ];
    const fault = new Fault('StepFailed', 'x', {
      step: 'RUN apt-get update && apt-get install cudnn',
      logTail,
      exitCode: 100,
    });
    expect(describeFault(fault, 'build', 1)).toMatchObject({
      reason: 'PackageNotFound',
      cause: 'The package lists know no package cudnn.',
      excerpt: logTail,
      hint: expect.stringContaining('slip') as string,
    });
    const own = new Fault('NetworkDenied', 'x', { hint: 'its own' });
    expect(describeFault(own, 'build', 1)).toMatchObject({ reason: 'NetworkRefused', hint: 'its own' });
  });
});

it('at least forty kinds of failures were captured, and every rule has a name that tells it', () => {
  expect(captured.length).toBeGreaterThanOrEqual(60);
  expect(new Set(captured.map((it) => it.reason)).size).toBeGreaterThanOrEqual(40);
  for (const { name, cause, suggestion } of rules) {
    expect(name).toMatch(/^[A-Z][A-Za-z]+$/);
    expect(cause).toMatch(/\.$/);
    expect(suggestion).toMatch(/\.$/);
  }
});

it('is found quickly, however a program’s lines are made', () => {
  const parts = ['a', "'", ' ', 'cannot ', 'E: ', ': ', 'sh: 1: ', '/a', 'No such file', 'ERROR 4', '\\r', 'user '];
  for (const part of parts) {
    const logTail = Array.from({ length: 40 }, () => part.repeat(Math.ceil(65_536 / part.length)));
    const began = performance.now();
    diagnose({ code: 'StepFailed', message: 'x', step: `RUN apt-get ${part.repeat(600)}`, exitCode: 1, logTail });
    expect([part, performance.now() - began < 500]).toEqual([part, true]);
  }
});
