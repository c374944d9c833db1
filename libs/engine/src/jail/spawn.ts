import { spawn } from 'node:child_process';
import { type Secret } from '@kiln/kit';
import { linesOf } from '../lines.ts';
import { type JailRequest } from './jail.ts';

/** Secrets as the other side reads them: a line `name length`, then so many bytes. */
function writeSecrets(to: NodeJS.WritableStream, secrets: readonly { id: string; value: Secret }[]): void {
  // Whoever reads them may end before.
  to.on('error', () => undefined);
  for (const { id, value } of secrets) {
    const bytes = Buffer.from(value.reveal());
    to.write(`${id} ${bytes.length}\n`);
    to.write(bytes);
  }
  to.end();
}

/**
 * Runs a command until it ends or is killed, and hands on its lines.
 * @returns its exit code, 137 when it was killed, and what the launcher said of itself
 * @throws the signal's reason when it was aborted
 */
export async function spawnJail(
  command: readonly string[],
  { dir, onLine, signal, watch, secrets = [] }: Pick<JailRequest, 'dir' | 'onLine' | 'signal' | 'watch' | 'secrets'>,
  env: Record<string, string>,
): Promise<{ code: number; said: string }> {
  signal.throwIfAborted();
  const [file = '', ...args] = command;
  // Both streams are one inside already; what comes here is the launcher's own, before that.
  const child = spawn(file, args, { cwd: dir, env, stdio: ['pipe', 'pipe', 'pipe'] });
  let said = '';
  child.stderr.on('data', (bytes: Buffer) => (said = (said + bytes.toString()).slice(-2000)));
  const { pid } = child;
  if (pid !== undefined) watch?.started(pid);
  const ended = new Promise<number>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve(code ?? 137));
  });
  // Awaited below; an error of spawning must not count as unhandled until then.
  ended.catch(() => undefined);
  writeSecrets(child.stdin, secrets);
  const kill = () => child.kill('SIGKILL');
  signal.addEventListener('abort', kill, { once: true });
  try {
    for await (const { text, partial } of linesOf(child.stdout)) if (!signal.aborted) await onLine(text, partial);
    return { code: await ended, said: said.trim() };
  } finally {
    signal.removeEventListener('abort', kill);
    kill();
    await ended.catch(() => undefined);
    if (pid !== undefined) watch?.ended(pid);
    signal.throwIfAborted();
  }
}
