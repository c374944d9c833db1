import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type GitServers, gitUser, openTestKiln, startGitServers, type TestKiln } from '@kiln/stack/testing';

let kiln: TestKiln;
let git: GitServers;
let hostile: Server;
let host = '';
let behave: (req: IncomingMessage, res: ServerResponse) => void;
const dir = mkdtempSync(join(tmpdir(), 'kiln-hostile-'));
beforeAll(async () => {
  git = await startGitServers(dir);
  hostile = createServer((req, res) => behave(req, res));
  await new Promise<void>((resolve) => hostile.listen(0, '127.0.0.1', resolve));
  host = `127.0.0.1:${(hostile.address() as AddressInfo).port}`;
  kiln = await openTestKiln({
    env: { KILN_CONTEXT_BYTES: String(8 << 20), KILN_CONTEXT_FILES: '2000', KILN_OPEN_ADDRESSES: '127.0.0.1' },
  });
  await kiln.admin(['source', 'put', kiln.account.accountId, git.httpHost, '--tls', 'http']);
  await kiln.admin(['source', 'put', kiln.account.accountId, host, '--tls', 'http', '--username', gitUser.username], {
    KILN_SOURCE_PASSWORD: gitUser.password,
  });
});
afterAll(async () => {
  await git.close();
  hostile.closeAllConnections();
  hostile.close();
  await kiln.stop();
  rmSync(dir, { recursive: true });
});

const bodyOf = (context: object, dockerfile = `FROM ${kiln.base}\nCOPY . /x/\nRUN ls -laR /x\n`) =>
  kiln.buildRequest(dockerfile, { config: { Context: { Type: 'Git', ...context } } });
const submit = async (context: object) =>
  (await kiln.pai('POST', '/api/v1/imagebuilds', { body: bodyOf(context) })) as { status: number; body: any };
const buildOf = async (context: object) => {
  const { ImageBuildId: id } = await kiln.submit(bodyOf(context));
  return { build: await kiln.ended(id), log: await kiln.logs(id) };
};
const advertised = { 'content-type': 'application/x-git-upload-pack-advertisement' };
const commit = 'a'.repeat(40);
const names = `001e# service=git-upload-pack\n00000048${commit} HEAD\0agent=x shallow allow\n`;

it('a server that answers nonsense, without an end, slowly or not at all is told as such in time', async () => {
  const cases: [string, typeof behave, RegExp][] = [
    ['no packets', (_req, res) => res.writeHead(200, advertised).end('<html>'), /git’s protocol/],
    ['cut', (_req, res) => res.writeHead(200, advertised).end('001e# service=git-upload-pack\n00000fff'), /middle|protocol|no default/],
    ['another kind', (_req, res) => res.writeHead(200, { 'content-type': 'text/html' }).end('hello'), /no git repository/],
    ['error', (_req, res) => res.writeHead(200, advertised).end('0014ERR no access\n0000'), /no access|default/],
    ['redirects', (req, res) => res.writeHead(302, { location: req.url ?? '' }).end(), /without an end/],
    ['inward', (_req, res) => res.writeHead(302, { location: 'http://169.254.169.254/latest' }).end(), /169\.254/],
    ['endless', (_req, res) => {
      res.writeHead(200, advertised);
      const line = `0080${commit} refs/heads/${'x'.repeat(71)}\n`;
      const more = (): void => {
        while (!res.destroyed && res.write(line.repeat(500)));
        if (!res.destroyed) res.once('drain', more);
      };
      more();
    }, /lists more than|does not answer|aborted|timeout/i],
  ]; // prettier-ignore
  for (const [name, how, words] of cases) {
    behave = how;
    const begun = performance.now();
    const { status, body } = await submit({ Url: `https://${host}/a.git` });
    expect([name, status >= 400, body.Message]).toEqual([name, true, expect.stringMatching(words)]);
    expect([name, performance.now() - begun < 25_000]).toEqual([name, true]);
  }
});

it('credentials go to the host that they are for, and to nobody that it leads to', async () => {
  const heard: (string | undefined)[] = [];
  const other = createServer((req, res) => {
    heard.push(req.headers.authorization);
    res.writeHead(404).end();
  });
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  behave = (_req, res) =>
    res.writeHead(302, { location: `http://127.0.0.1:${(other.address() as AddressInfo).port}/b` }).end();
  await submit({ Url: `https://${host}/a.git` });
  other.close();
  expect(heard).toEqual([undefined]);
});

it('a server that promises a commit and sends something else fails the build, and nothing of it is kept', async () => {
  const packs: [string, (res: ServerResponse) => void][] = [
    ['nothing', (res) => res.end()],
    ['nonsense', (res) => res.end('0008NAK\nPACK\0\0\0\u0002\uffff')],
    ['an error', (res) => res.end('0012ERR go away!\n0000')],
    ['cut', (res) => void (res.write('0008NAK\n'), setTimeout(() => res.destroy(), 100))],
  ];
  for (const [name, send] of packs) {
    behave = (req, res) => {
      if (req.method === 'GET') return void res.writeHead(200, advertised).end(`${names}0000`);
      req.resume();
      res.writeHead(200, { 'content-type': 'application/x-git-upload-pack-result' });
      send(res);
    };
    const { build } = await buildOf({ Url: `https://${host}/a.git` });
    expect([name, build.State, build.Error?.Code]).toEqual([name, 'failed', expect.stringMatching(/^Source/)]);
  }
});

/** Makes a commit with entries that git itself would not write. */
function craft(repository: string, entries: { mode: string; name: string; content: string }[]): void {
  git.commit(repository, { a: 'a' });
  const bare = join(dir, 'repositories', repository);
  const write = (kind: string, input: Buffer | string): string =>
    execFileSync('git', ['hash-object', '-t', kind, '--literally', '-w', '--stdin'], { cwd: bare, input })
      .toString()
      .trim();
  const tree = Buffer.concat(
    entries.map(({ mode, name, content }) =>
      Buffer.concat([
        Buffer.from(`${mode} ${name}\0`),
        Buffer.from(mode === '160000' ? '1'.repeat(40) : write('blob', content), 'hex'),
      ]),
    ),
  );
  const person = 'Eve <e@example.com> 1700000000 +0000';
  const made = write('commit', `tree ${write('tree', tree)}\nauthor ${person}\ncommitter ${person}\n\nx\n`);
  execFileSync('git', ['update-ref', 'refs/heads/main', made], { cwd: bare });
}

it('repositories with names that lead out, hooks, filters and links change nothing but their own build', async () => {
  const mark = join(dir, 'pwned');
  const url = (name: string) => `https://${git.httpHost}/${name}`;
  for (const name of ['..', '.git', '.GIT', '../../etc', '.git\u200cx']) {
    craft('team/evil.git', [{ mode: '100644', name, content: 'x' }]);
    const { build, log } = await buildOf({ Url: url('team/evil.git') });
    // Only what is a name like any other may be built.
    if (build.State === 'succeeded') expect([name, log]).toEqual(['.git\u200cx', expect.not.stringContaining('/etc')]);
    else expect([name, build.Error.Code]).toEqual([name, expect.stringMatching(/Source|Context/)]);
  }
  craft('team/links.git', [
    { mode: '100644', name: '.gitattributes', content: '* filter=evil export-subst\n' },
    { mode: '100755', name: 'post-checkout', content: `#!/bin/sh\ntouch ${mark}\n` },
    { mode: '120000', name: 'shadow', content: '/etc/shadow' },
  ]);
  const links = await buildOf({ Url: url('team/links.git') });
  expect(links.build).toMatchObject({ State: 'succeeded' });
  expect(links.log).toMatch(/shadow -> \/etc\/shadow/);
  expect(existsSync(mark)).toBe(false);
});

it('submodules lead to https and ssh alone, and not without an end', async () => {
  for (const address of [
    `ext::sh -c touch% ${join(dir, 'ran')}`,
    'file:///etc',
    '--upload-pack=touch',
    '/etc/passwd',
    'http://127.0.0.1/x',
  ]) {
    git.commit('team/sub.git', { '.gitmodules': `[submodule "x"]\n\tpath = x\n\turl = ${address}\n` });
    git.git('team/sub.git', 'update-index', '--add', '--cacheinfo', `160000,${'1'.repeat(40)},x`);
    git.git('team/sub.git', 'commit', '-q', '-m', 'sub');
    git.git('team/sub.git', 'push', '-q', 'origin', 'main');
    const { build } = await buildOf({ Url: `https://${git.httpHost}/team/sub.git`, Submodules: true });
    expect([address, build.State, build.Error?.Code]).toEqual([address, 'failed', 'SourceInvalid']);
  }
  expect(existsSync(join(dir, 'ran'))).toBe(false);
  // One that holds itself.
  git.commit('team/self.git', { '.gitmodules': `[submodule "x"]\n\tpath = x\n\turl = ../self.git\n` });
  const own = git.git('team/self.git', 'rev-parse', 'HEAD');
  git.git('team/self.git', 'update-index', '--add', '--cacheinfo', `160000,${own},x`);
  git.git('team/self.git', 'commit', '-q', '-m', 'itself');
  git.git('team/self.git', 'push', '-q', 'origin', 'main');
  const { build } = await buildOf({ Url: `https://${git.httpHost}/team/self.git`, Submodules: true });
  expect(['succeeded', 'failed']).toContain(build.State);
});

it('a small pack that becomes gigabytes, and a million files, end at the limits of a context', async () => {
  git.commit('team/bomb.git', { zeros: '\0'.repeat(64 << 20) });
  const { build } = await buildOf({ Url: `https://${git.httpHost}/team/bomb.git` });
  expect(build.Error).toMatchObject({ Code: 'ContextTooLarge' });
  git.commit('team/many.git', Object.fromEntries(Array.from({ length: 5000 }, (_, n) => [`f/${n}`, ''])));
  const many = await buildOf({ Url: `https://${git.httpHost}/team/many.git` });
  expect(many.build.Error).toMatchObject({ Code: 'ContextTooLarge' });
});
