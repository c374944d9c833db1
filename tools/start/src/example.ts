import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { root } from '@kiln/stack';
import type { LocalStack } from './local-stack.ts';
import { bold, dim, say } from './progress.ts';

const folder = 'tools/start/example';

/** What builds the example with the kiln command. */
export const exampleArguments = ({ base }: LocalStack): string[] => [
  'build', '-t', 'demo/app:v1', '--build-arg', `BASE=${base}`, folder,
]; // prettier-ignore

/**
 * Builds a small project from its folder: a web application in Python.
 * @returns whether it worked
 */
export function runExample(stack: LocalStack, signal: AbortSignal): Promise<boolean> {
  const args = exampleArguments(stack);
  say(`\n${bold('A project')}  ${dim(`kiln ${args.join(' ')}`)}\n`);
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [join(root, 'apps/cli/kiln.mjs'), ...args], {
      cwd: root,
      stdio: 'inherit',
      env: { ...process.env, KILN_URL: stack.url, KILN_TOKEN: stack.account.token },
      signal,
    });
    child.on('error', reject);
    child.on('close', (code) => resolve(code === 0));
  });
}
