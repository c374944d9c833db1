import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { root } from '@kiln/stack';

/**
 * Runs format and lint beside the tests, at the lowest priority, and prints how each went as soon as it has ended.
 * @returns how many of them failed
 */
export async function runChecks(): Promise<number> {
  const passed = await Promise.all([check('format', 'prettier', ['--check', '.']), check('lint', 'eslint', ['.'])]);
  return passed.filter((isWell) => !isWell).length;
}

function check(name: string, program: string, args: string[]): Promise<boolean> {
  const started = Date.now();
  const command = ['-n', '19', join(root, 'node_modules/.bin', program), ...args];
  const child = spawn('nice', command, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  return new Promise((resolve) => {
    const end = (isWell: boolean) => {
      const seconds = ((Date.now() - started) / 1000).toFixed(1);
      console.log(`  ${isWell ? '✔' : '✘'} ${name}  ${seconds} s${isWell ? '' : `\n${output}`}`);
      resolve(isWell);
    };
    child.on('error', (error) => {
      output += error.message;
      end(false);
    });
    child.on('close', (status) => end(status === 0));
  });
}
