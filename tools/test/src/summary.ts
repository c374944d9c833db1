import { relative } from 'node:path';
import { root } from '@kiln/stack';

/** What Jest's `--json` says, as far as it is read here; times in milliseconds since 1970. */
export interface JestResults {
  numPassedTests: number;
  numFailedTests: number;
  numRuntimeErrorTestSuites: number;
  testResults: { name: string; startTime: number; endTime: number; assertionResults: unknown[] }[];
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`.padStart(9);

/** Prints how long the tests of each project took, and the ten files that took longest. */
export function printSummary({ testResults }: JestResults): void {
  const files = testResults
    .map((it) => ({
      path: relative(root, it.name),
      tests: it.assertionResults.length,
      ms: Math.max(0, it.endTime - it.startTime),
    }))
    .sort((a, b) => b.ms - a.ms);
  const projects = new Map<string, { files: number; tests: number; ms: number }>();
  for (const { path, tests, ms } of files) {
    const name = path.split('/').slice(0, 2).join('/');
    const sum = projects.get(name) ?? { files: 0, tests: 0, ms: 0 };
    projects.set(name, { files: sum.files + 1, tests: sum.tests + tests, ms: sum.ms + ms });
  }
  console.log('\nBy project (files run beside each other, so that the sum is more than the whole):');
  for (const [name, it] of [...projects].sort(([, a], [, b]) => b.ms - a.ms))
    console.log(`${seconds(it.ms)}  ${name}  ${it.tests} tests in ${it.files} files`);
  console.log('\nThe ten slowest files:');
  for (const it of files.slice(0, 10)) console.log(`${seconds(it.ms)}  ${it.path}`);
}
