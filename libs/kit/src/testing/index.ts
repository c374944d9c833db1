import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export * from './random.ts';

/** The real servers that tests use, as the running test stack describes itself. */
export interface TestStack {
  /** A PostgreSQL server in which databases may be created. */
  postgresUrl: string;
  redisUrl: string;
  /** An OCI registry that needs no credentials. */
  registryHost: string;
  /** A registry that takes `kiln` with password `kiln-test` only. */
  privateRegistryHost: string;
  /** Folder with the system that BuildKit runs in. */
  engineRoot: string;
  /** Folder for engine stores and the like. */
  dir: string;
}

/** @throws Error that tells how to start the stack when it does not run */
export function testStack(): TestStack {
  const root = join(import.meta.dirname, '../../../..');
  const file = process.env['KILN_TEST_STACK'] ?? join(root, '.kiln/test/stack.json');
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as TestStack;
  } catch (error) {
    throw new Error(`no test stack runs (${file}); start one with "npm run stack" in another terminal`, {
      cause: error,
    });
  }
}

/**
 * Whether everything is tested, as `npm run test:all` does, or what a change is tested with: of cases that are alike
 * some, and nothing that takes ten minutes by itself.
 */
export const testsAll = process.env['KILN_TESTS'] === 'all';

/** Of cases that are alike, every sixth, or all where everything is tested. */
export const sampleOf = <T>(cases: readonly T[]): T[] => cases.filter((_, n) => testsAll || n % 6 === 0);

/** Waits until `look` gives something, or fails after `timeoutMs`. It looks less often the longer it has waited. */
export async function eventually<T>(
  look: () => Promise<T | undefined> | T | undefined,
  what: string,
  timeoutMs = 60_000,
): Promise<T> {
  const begun = performance.now();
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    const waitedMs = performance.now() - begun;
    if (waitedMs > timeoutMs) throw new Error(`waited ${timeoutMs} ms in vain for ${what}`);
    // Looking takes from what is waited for, where both share two cores.
    const pauseMs = Math.min(Math.max(waitedMs / 10, 50), 300);
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
}
