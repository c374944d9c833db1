import { basename } from 'node:path';
// CommonJS, with its class under `default`.
import sequencer from '@jest/test-sequencer';

type Test = Parameters<InstanceType<typeof sequencer.default>['allFailedTests']>[0][number];

/** Files that take long, the longest first: begun late, one of them would keep a single worker busy at the end. */
const slowest = [
  'faults.test.ts',
  'registry-faults.test.ts',
  'container-images.test.ts',
  'console.test.ts',
  'absent-registries.test.ts',
  'tls-registry.test.ts',
  'builds.test.ts',
  'repeats.test.ts',
];
const rank = (path: string): number => {
  const found = slowest.indexOf(basename(path));
  return found === -1 ? slowest.length : found;
};

export default class SlowestFirst extends sequencer.default {
  /** The slow ones in their order; the others by their size, the largest first. */
  override sort(tests: Test[]): Test[] {
    const sizes = new Map(tests.map((it) => [it.path, it.context.hasteFS.getSize(it.path) ?? 0]));
    return [...tests].sort(
      (a, b) => rank(a.path) - rank(b.path) || (sizes.get(b.path) ?? 0) - (sizes.get(a.path) ?? 0),
    );
  }
}
