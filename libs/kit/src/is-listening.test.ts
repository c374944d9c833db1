import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isListening } from './is-listening.ts';

it('tells a socket on which somebody listens from its file alone', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'kiln-socket-'));
  const path = join(dir, 'engine');
  expect(await isListening({ path })).toBe(false);
  const program = `require('net').createServer().listen(process.argv[1], () => console.log('listens'))`;
  const server = spawn(process.execPath, ['-e', program, path]);
  await once(server.stdout, 'data');
  expect(await isListening({ path })).toBe(true);
  server.kill('SIGKILL');
  await once(server, 'exit');
  expect(existsSync(path)).toBe(true);
  expect(await isListening({ path })).toBe(false);
  rmSync(dir, { recursive: true });
});
