import { spawn } from 'node:child_process';

/** Programs of the host are found here, whatever the builder's own PATH says. */
export const hostEnvironment = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' };

/**
 * Runs a program of the host to its end.
 * @param input what it reads
 * @returns what it printed
 * @throws Error with its last words when it cannot be run, or fails
 */
export function run(command: readonly string[], input = ''): Promise<string> {
  const [file = '', ...args] = command;
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { env: hostEnvironment, stdio: ['pipe', 'pipe', 'pipe'] });
    let printed = '';
    let said = '';
    child.stdout.on('data', (bytes: Buffer) => (printed += bytes.toString()));
    child.stderr.on('data', (bytes: Buffer) => (said = (said + bytes.toString()).slice(-2000)));
    child.on('error', (error) => reject(new Error(`${file}: ${error.message}`, { cause: error })));
    child.on('close', (code, signal) => {
      if (code === 0) resolve(printed);
      else reject(new Error(`${file} ended with ${code ?? signal ?? 'nothing'}: ${said.trim() || 'it said nothing'}`));
    });
    // Whoever reads it may end before.
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
  });
}
