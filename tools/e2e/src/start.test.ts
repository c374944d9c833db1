import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually, testStack } from '@kiln/kit/testing';
import { processesOf, root } from '@kiln/stack';

const kilnDir = join(testStack().dir, 'start');

const run = (args: string[] = [], env: Record<string, string> = {}) => {
  const child = spawn(process.execPath, [join(root, 'tools/start/dist/main.js'), ...args], {
    env: { ...process.env, KILN_DIR: kilnDir, ...env },
  });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
  return { child, ended, output: () => output };
};

const commandOf = (pid: string): string => {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch {
    return ''; // ended meanwhile
  }
};

describe('npm start', () => {
  it('demonstrates a build once and says by its exit status that it worked', async () => {
    const once = run(['--once']);
    const status = await once.ended;
    expect(`${status} ${once.output()}`).toMatch(/^0 /);
    expect(once.output()).toMatch(/published and verified[\s\S]*digest +sha256:[0-9a-f]{64}[\s\S]*ACTIVE/);
    expect(processesOf(join(kilnDir, 'local'))).toEqual([]);
  }, 300_000);

  it('keeps its data, stays up until it is interrupted, and leaves no process behind', async () => {
    const second = run([], { KILN_LEGACY_SIGNATURES: 'true' });
    await eventually(() => (second.output().includes('Kiln is up.') ? true : undefined), 'the second start', 120_000);
    const text = second.output();
    expect(text).toContain('#2 CACHED');
    const [, token] = /export KILN_TOKEN=(\S+)/.exec(text) ?? [];
    const [, listing] = /'(http:\/\/[^']+\/api\/v1\/images\?[^']+)'/.exec(text) ?? [];
    const list = (await (await fetch(listing ?? '', { headers: { authorization: `Bearer ${token}` } })).json()) as {
      TotalCount: number;
    };
    expect(list.TotalCount).toBe(2);
    // The api has the setting of the command: it asks whose key it is, and no longer for another signature.
    const legacy = await fetch(new URL('/api/v1/images', listing), {
      headers: { authorization: `acs nobody:${Buffer.alloc(20).toString('base64')}` },
    });
    expect(await legacy.json()).toMatchObject({ Code: 'InvalidAccessKeyId.NotFound' });
    second.child.kill('SIGINT');
    expect(await second.ended).toBe(0);
    expect(readFileSync('/proc/mounts', 'utf8')).not.toContain(kilnDir);
    expect(processesOf(join(kilnDir, 'local'))).toEqual([]);
  }, 300_000);

  it('ends what a killed start had left, and goes on with its data', async () => {
    const killed = run();
    await eventually(() => (killed.output().includes('accepted as') ? true : undefined), 'a build', 120_000);
    killed.child.kill('SIGKILL');
    await killed.ended;
    const again = run(['--once']);
    const status = await again.ended;
    // PostgreSQL, the registry, three apps and the engine; what one of them is just starting counts, too.
    expect(`${status} ${again.output()}`).toMatch(
      /^0 [\s\S]*ended ([6-9]|\d\d+) processes that an interrupted start had left/,
    );
    // Asked of their arguments, not of the mark by which they are found.
    const left = readdirSync('/proc').filter(
      (it) => /^\d+$/.test(it) && commandOf(it).includes(join(kilnDir, 'local')),
    );
    expect(left.map(commandOf)).toEqual([]);
  }, 300_000);
});
