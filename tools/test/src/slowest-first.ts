import { basename } from 'node:path';
import { createRequire } from 'node:module';
import type testSequencer from '@jest/test-sequencer';

// Its types are those of the CommonJS form, so that is what is loaded.
const { default: Sequencer } = createRequire(import.meta.url)('@jest/test-sequencer') as typeof testSequencer;

type Test = Parameters<InstanceType<typeof Sequencer>['allFailedTests']>[0][number];

/** Files that take long, the longest first: begun late, one of them would keep a single worker busy at the end. */
const slowest = [
  'dockerfiles.test.ts',
  'faults.test.ts',
  'container-images.test.ts',
  'hostile.test.ts',
  'console.test.ts',
  'start.test.ts',
  'profile-pages.test.ts',
  'registry-faults.test.ts',
  'builds.test.ts',
  'repeats.test.ts',
  'fleet.test.ts',
  'git-contexts.test.ts',
  'cli.test.ts',
  'git-servers.test.ts',
  'affinity.test.ts',
  'absent-registries.test.ts',
];
const rank = (path: string): number => {
  const found = slowest.indexOf(basename(path));
  return found === -1 ? slowest.length : found;
};

export default class SlowestFirst extends Sequencer {
  /** The slow ones in their order; the others by their size, the largest first. */
  override sort(tests: Test[]): Test[] {
    const sizes = new Map(tests.map((it) => [it.path, it.context.hasteFS.getSize(it.path) ?? 0]));
    return [...tests].sort(
      (a, b) => rank(a.path) - rank(b.path) || (sizes.get(b.path) ?? 0) - (sizes.get(a.path) ?? 0),
    );
  }
}
