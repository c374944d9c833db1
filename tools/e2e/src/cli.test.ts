import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '@kiln/kit/testing';
import { root } from '@kiln/stack';
import { openTestKiln, type TestKiln } from '@kiln/stack/testing';

let kiln: TestKiln;
const dir = mkdtempSync(join(tmpdir(), 'kiln-cli-'));
beforeAll(async () => {
  kiln = await openTestKiln();
});
afterAll(async () => {
  await kiln.stop();
  rmSync(dir, { recursive: true });
});

interface Ran {
  code: number | null;
  out: string;
  err: string;
}
const program = join(root, 'apps/cli/kiln.mjs');
const env = (change: Record<string, string> = {}) => ({
  PATH: process.env['PATH'] ?? '',
  HOME: dir,
  KILN_URL: kiln.url,
  KILN_TOKEN: kiln.account.token,
  ...change,
});
/** Runs the command without a terminal. */
const run = (
  args: string[],
  {
    input = '',
    cwd = dir,
    change = {},
  }: { input?: string | Buffer; cwd?: string; change?: Record<string, string> } = {},
): Promise<Ran> =>
  new Promise((resolve) => {
    const child = spawn(process.execPath, [program, ...args], { cwd, env: env(change) });
    let [out, err] = ['', ''];
    child.stdout.on('data', (it: Buffer) => (out += it.toString()));
    child.stderr.on('data', (it: Buffer) => (err += it.toString()));
    child.on('close', (code) => resolve({ code, out, err }));
    child.stdin.end(input);
  });

function project(name: string, files: Record<string, string | Buffer>): string {
  const path = join(dir, name);
  for (const [file, content] of Object.entries(files)) {
    mkdirSync(join(path, file, '..'), { recursive: true });
    writeFileSync(join(path, file), content);
  }
  return path;
}
const tag = (name: string) => `e2e-cli/${kiln.account.accountName}:${name}`;

it('builds a folder, says how it goes, and writes what scripts want; the second time nothing is sent', async () => {
  const path = project('app', {
    Dockerfile: `FROM ${kiln.base}\nARG WHO\nCOPY . /app\nRUN echo "hello $WHO" && cat /app/src/a.txt && /app/run && test ! -e /app/left.out\n`,
    'src/a.txt': 'this is a\n',
    run: '#!/bin/sh\necho it runs\n',
    'left.out': 'x',
    '.dockerignore': '*.out\n',
  });
  chmodSync(join(path, 'run'), 0o755);
  const args = [
    'build',
    '-t',
    tag('v1'),
    '--build-arg',
    'WHO',
    '--iidfile',
    'id',
    '--metadata-file',
    'meta.json',
    'app',
  ];
  const first = await run(args, { change: { WHO: 'you' } });
  expect(first).toMatchObject({ code: 0, out: '' });
  for (const it of ['hello you', 'this is a', 'it runs', '✔']) expect(first.err).toContain(it);
  expect(first.err).toMatch(/context app: 5 files and folders.*\(\.dockerignore\); sent [1-9]/);
  const digest = readFileSync(join(dir, 'id'), 'utf8');
  expect(digest).toMatch(/^sha256:[0-9a-f]{64}$/);
  expect(JSON.parse(readFileSync(join(dir, 'meta.json'), 'utf8'))).toMatchObject({
    'containerimage.digest': digest,
    'image.name': `${kiln.stack.registryHost}/${tag('v1')}`,
  });
  const again = await run([...args, '-q'], { change: { WHO: 'you' } });
  expect(again).toMatchObject({ code: 0, err: '' });
  expect(again.out).toMatch(/^sha256:[0-9a-f]{64}\n$/);
  const third = await run(args, { change: { WHO: 'you' } });
  expect(third.err).toContain('sent 0 B');
});

it('sends of a large tree no more than the file that changed', async () => {
  const files = Object.fromEntries(Array.from({ length: 40 }, (_, n) => [`data/${n}`, randomBytes(1 << 20)]));
  const path = project('large', { Dockerfile: `FROM ${kiln.base}\nCOPY data/7 /\n`, ...files });
  const args = ['build', '--async', '-t', tag('large'), path];
  expect((await run(args)).err).toMatch(/42 files and folders/);
  writeFileSync(join(path, 'data/7'), randomBytes(1 << 20));
  const { code, err } = await run(args);
  expect({ code, sent: /sent ([\d.]+ \wB)/.exec(err)?.[1] }).toEqual({ code: 0, sent: '1.0 MB' });
});

it('shows what failed with its lines and what to do, and exits as the failure’s kind says', async () => {
  project('broken', { Dockerfile: `FROM ${kiln.base}\nRUN echo before\nRUN cat /nothing/there\n` });
  const failed = await run(['build', '-t', tag('broken'), 'broken']);
  expect(failed.code).toBe(1);
  expect(failed.err).toMatch(/There is no \/nothing\/there.*> 3 │ RUN cat \/nothing\/there.*what to do:/s);
  const away = await run(['ps'], { change: { KILN_URL: 'http://127.0.0.1:1' } });
  expect(away).toMatchObject({ code: 4, err: expect.stringContaining('cannot be reached') as string });
  const stranger = await run(['ps'], { change: { KILN_TOKEN: 'kiln_no' } });
  expect(stranger).toMatchObject({ code: 2, err: expect.stringContaining('token is unknown') as string });
  const nobody = await run(['ps'], { change: { KILN_TOKEN: '' } });
  expect(nobody).toMatchObject({ code: 2, err: expect.stringContaining('kiln login') as string });
});

it.each([
  [['build', '.'], /-t is missing/],
  [['build', '-t', 'a', '-t', 'b', '.'], /-t may be given once/],
  [['build', '-t', 'a', '--load', '.'], /--load is not taken here.*docker pull/s],
  [['build', '-t', 'a', '--ssh', 'default', '.'], /--ssh is not taken here/],
  [['build', '-t', 'a', '--platform', 'mars', '-'], /BuildConfig\.Platform: must be a platform of Linux/],
  [['build', '-t', 'a', '--build-context', 'a', '-'], /--build-context a: write NAME=SOURCE/],
  [['build', '-t', 'a', '--build-context', 'a=nowhere', '-'], /--build-context a: nowhere is no folder/],
  [['build', '-t', 'a', '--build-context', 'a=oci-layout://x', '-'], /oci-layout:\/\/x is no address/],
  [['build', '-t', 'a', 'git://example.com/x.git'], /no address of a repository/],
  [['build', '-t', 'a', 'nowhere'], /nowhere is no folder/],
  [['build', '-t', 'elsewhere.example.com/a', '.'], /no connection to elsewhere\.example\.com/],
  [['build', '-t', 'a', '-f', 'None', '.'], /None cannot be read/],
  [['build', '-t', 'a', '--secret', 'id=a,src=b', '.'], /--secret takes no file/],
  [['frobnicate'], /unknown command/],
  [['build', '--foo', '.'], /unknown option '--foo'/],
])('refuses %j', async (args, message) => {
  const { code, err } = await run(args);
  expect(err).toMatch(message);
  expect(code).toBe(2);
});

it('takes a Dockerfile or a tar from the standard input, and a Dockerfile from beside the folder', async () => {
  const text = await run(['build', '-t', tag('text'), '-'], { input: `FROM ${kiln.base}\nRUN echo from text\n` });
  expect(text).toMatchObject({ code: 0, err: expect.stringContaining('from text') as string });
  const path = project('tar', { 'sub/My.Dockerfile': `FROM ${kiln.base}\nCOPY a /\nRUN cat /a\n`, a: 'from tar\n' });
  const input = spawnSync('tar', ['-C', path, '-cz', '.']).stdout;
  const tar = await run(['build', '-t', tag('tar'), '-f', 'sub/My.Dockerfile', '-'], { input });
  expect(tar).toMatchObject({ code: 0, err: expect.stringContaining('from tar') as string });
  project('', { 'Other.Dockerfile': `FROM ${kiln.base}\nCOPY a /\nRUN echo beside && cat /a\n` });
  const beside = await run(['build', '-t', tag('beside'), '-f', 'Other.Dockerfile', 'tar']);
  expect(beside).toMatchObject({ code: 0, err: expect.stringContaining('beside') as string });
});

it('knows the verbs of ma-cli image', async () => {
  const path = project('ma', { 'docker/Dockerfile': `FROM ${kiln.base}\nARG A\nCOPY a /\nRUN echo $A\n`, a: 'a' });
  const uri = `${kiln.stack.registryHost}/e2e-ma/${kiln.account.accountName}:v1`;
  const args = [
    'ma',
    'image',
    'build',
    join(path, 'docker/Dockerfile'),
    '-swr',
    uri,
    '--context',
    path,
    '-arg',
    'A=five',
  ];
  expect(await run(args)).toMatchObject({ code: 0, err: expect.stringContaining('five') as string });
  expect(await run(args)).toMatchObject({ code: 3, err: expect.stringContaining('exists already') as string });
  const listed = await run(['-o', 'json', 'ma', 'image', 'get-image', '-t', 'DEDICATED']);
  const found = (JSON.parse(listed.out) as { swr_path: string; id: string }[]).find((it) => it.swr_path === uri);
  expect((await run(['ma', 'image', 'get-image'])).out).toMatch(/ID +NAME +TAG +SIZE +STATUS/);
  expect(await run(['ma', 'image', 'unregister', '-i', found?.id ?? '', '-d'])).toMatchObject({ code: 0 });
  const registered = await run(['ma', 'image', 'register', '-swr', kiln.base, '-a', 'X86_64', '-rs', 'CPU']);
  expect(registered).toMatchObject({ code: 0, out: expect.stringContaining('ACTIVE') as string });
  const wrong = await run(['ma', 'image', 'register', '-swr', kiln.base, '-rs', 'TPU']);
  expect(wrong).toMatchObject({ code: 2, err: expect.stringContaining('resource_category') as string });
  const debug = await run(['ma', 'image', 'debug', '-swr', 'x', '-s', 'y']);
  expect(debug).toMatchObject({ code: 2, err: expect.stringMatching(/not taken here.*docker run/s) as string });
});

it('takes files and images by name, labels, and a platform', async () => {
  const path = project('named', {
    Dockerfile: `FROM --platform=$BUILDPLATFORM python:3 AS make
ARG TARGETARCH
RUN --mount=type=bind,from=shared,target=/s cat /s/words && test ! -e /s/left-out && echo for $TARGETARCH > /for && cat /for
FROM scratch
COPY --from=make /for /
`,
    'shared/words': 'these are shared',
    'shared/left-out': 'x',
    'shared/.dockerignore': 'left-out\n',
  });
  const args = ['--build-context', `shared=${path}/shared`];
  args.push('--build-context', `docker.io/library/Python:3=docker-image://${kiln.base}`);
  const built = await run(['build', '-t', tag('named'), ...args, '--platform', 'linux/arm64', '--label', 'a=b', path]);
  expect(built).toMatchObject({ code: 0, err: expect.stringContaining('for arm64') as string });
  expect(built.err).toContain('these are shared');
});

it('leaves a build running, lists, follows and cancels it', async () => {
  project('slow', { Dockerfile: `FROM ${kiln.base}\nRUN echo begun; sleep 60\n` });
  const { code, out } = await run(['build', '--async', '-t', tag('slow'), 'slow']);
  expect(code).toBe(0);
  const id = out.trim();
  const listed = await run(['-o', 'json', 'ps', '-n', '5']);
  expect(JSON.parse(listed.out)).toContainEqual(expect.objectContaining({ ImageBuildId: id }));
  const watching = run(['watch', id]);
  const log = spawn(process.execPath, [program, 'logs', '-f', id], { env: env() });
  let text = '';
  for await (const it of log.stdout) {
    text += String(it);
    if (text.includes('begun\n')) break;
  }
  expect(await run(['cancel', id])).toMatchObject({ code: 0 });
  const watched = await watching;
  expect(watched).toMatchObject({ code: 130, err: expect.stringContaining('was cancelled') as string });
  expect((await run(['show', id])).out).toContain('cancelled');
  log.kill();
});

it('keeps who signs in for this user alone, and tells what is wrong before a build does', async () => {
  const config = { KILN_URL: '', KILN_TOKEN: '', XDG_CONFIG_HOME: join(dir, 'config') };
  const signedIn = await run(['login', kiln.url], { input: `${kiln.account.token}\n`, change: config });
  expect(signedIn).toMatchObject({ code: 0, out: expect.stringContaining('signed in as admin') as string });
  expect(statSync(join(dir, 'config/kiln/config.json')).mode & 0o777).toBe(0o600);
  const unset = { ...config };
  const without = Object.fromEntries(Object.entries(unset).filter(([, value]) => value !== ''));
  const child = spawnSync(process.execPath, [program, 'doctor'], {
    encoding: 'utf8',
    env: { PATH: process.env['PATH'], HOME: dir, ...without },
  });
  expect(child.stdout).toMatch(/✔ api.*✔ token.*✔ contexts/s);
  const wrong = await run(['login', kiln.url], { input: 'kiln_no\n', change: config });
  expect(wrong.code).toBe(2);
});

it('completes commands and flags in bash', async () => {
  const { out } = await run(['completion', 'bash']);
  const complete = (line: string) =>
    execFileSync('bash', ['-c', `${out}\nCOMP_WORDS=(${line}); COMP_CWORD=$((\${#COMP_WORDS[@]} - 1)); _kiln; echo "\${COMPREPLY[*]}"`]).toString().trim(); // prettier-ignore
  expect(complete('kiln bui')).toBe('build');
  expect(complete('kiln build --bu')).toBe('--build-arg --build-context');
  expect(complete('kiln --profile x logs --f')).toBe('--follow');
  // Files are the shell's own affair, and what is refused is not offered.
  expect(complete('kiln build x')).toBe('');
  expect(complete('kiln build --loa')).toBe('');
  expect((await run(['completion', 'fish'])).out).toContain(
    "complete -c kiln -n '__fish_seen_subcommand_from build' -l file -s f -r",
  );
  expect(await run(['completion', 'tcsh'])).toMatchObject({ code: 2 });
});

it('draws the steps of parallel stages in a terminal, and asks what a Ctrl-C means', async () => {
  project('stages', {
    Dockerfile: `FROM ${kiln.base} AS one\nRUN sleep 2; echo 1 > /1\nFROM ${kiln.base} AS two\nRUN sleep 2; echo 2 > /2\nFROM ${kiln.base}\nCOPY --from=one /1 /\nCOPY --from=two /2 /\nRUN sleep 30\n`,
  });
  const socket = join(dir, 'tmux');
  const tmux = (...args: string[]) =>
    execFileSync('tmux', ['-S', socket, '-f', '/dev/null', ...args], { cwd: dir, env: env(), encoding: 'utf8' });
  const screen = () => tmux('capture-pane', '-p', '-t', 'kiln');
  const seen = (what: RegExp) =>
    eventually(() => Promise.resolve(what.test(screen()) ? true : undefined), `${what} on the screen`, 20_000);
  tmux('new-session', '-d', '-s', 'kiln', '-x', '100', '-y', '30', 'env', 'PS1=$ ', 'sh');
  try {
    tmux(
      'send-keys',
      '-t',
      'kiln',
      `${process.execPath} ${program} build -t ${tag('stages')} stages; echo "exit $?"`,
      'Enter',
    );
    // Both at once, whichever began first.
    await seen(/[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏] \[([24])\] RUN sleep 2.*s\n.*[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏] \[(?!\1)[24]\] RUN sleep 2.*s\n/);
    await seen(/✔ \[7\] COPY --from=two .* [\d.]+s\n.*\[8\] RUN sleep 30/);
    // Nothing is wider than the terminal, and nothing is drawn twice.
    expect(screen().match(/\[\+\]/g)).toHaveLength(1);
    tmux('send-keys', '-t', 'kiln', 'C-c');
    await seen(/Cancel the build \[c\], leave it running \[l\], or go on \[Enter\]\?/);
    tmux('send-keys', '-t', 'kiln', 'Enter');
    await eventually(
      () => Promise.resolve(screen().split('sleep 30').length === 3 ? true : undefined),
      'it goes on',
      20_000,
    );
    tmux('send-keys', '-t', 'kiln', 'C-c');
    await seen(/go on \[Enter\]\?\s*$/);
    tmux('send-keys', '-t', 'kiln', 'c', 'Enter');
    await seen(/was cancelled\nexit 130/);
  } finally {
    tmux('kill-server');
  }
});
