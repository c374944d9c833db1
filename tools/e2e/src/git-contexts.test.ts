import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root } from '@kiln/stack';
import { type GitServers, gitUser, openTestKiln, startGitServers, type TestKiln } from '@kiln/stack/testing';

let kiln: TestKiln;
let git: GitServers;
const dir = mkdtempSync(join(tmpdir(), 'kiln-git-'));
beforeAll(async () => {
  git = await startGitServers(dir);
  kiln = await openTestKiln();
  await kiln.admin(['source', 'put', kiln.account.accountId, git.httpHost, '--tls', 'http']);
});
afterAll(async () => {
  await git.close();
  await kiln.stop();
  rmSync(dir, { recursive: true });
});

const url = (repository: string) => `https://${git.httpHost}/${repository}`;
const bodyOf = (context: object, dockerfile?: string, config: object = {}) => {
  const body = kiln.buildRequest(dockerfile ?? '', { config: { Context: { Type: 'Git', ...context }, ...config } });
  if (dockerfile === undefined) delete (body['BuildConfig'] as Record<string, unknown>)['Dockerfile'];
  return body;
};
const buildOf = async (context: object, dockerfile?: string, config?: object) => {
  const { ImageBuildId: id } = await kiln.submit(bodyOf(context, dockerfile, config));
  return { id, build: await kiln.ended(id), log: await kiln.logs(id) };
};
const requestOf = async (id: string) =>
  (await kiln.pai('GET', `/api/v1/imagebuilds/${id}`)).body.Request.BuildConfig.Context;
const refusal = async (context: object, dockerfile?: string) =>
  (await kiln.pai('POST', '/api/v1/imagebuilds', { body: bodyOf(context, dockerfile) })) as {
    status: number;
    body: any;
  };

const dockerfile = () => `FROM ${kiln.base}\nCOPY . /app/\nRUN cat /app/main.txt && ls /app\n`;

it('builds a branch at the commit that it stood for at acceptance, with its Dockerfile; a rerun has the same files', async () => {
  const commit = git.commit('team/app.git', {
    Dockerfile: dockerfile(),
    'main.txt': 'first words',
    '.dockerignore': '*.md\n',
    'README.md': 'x',
  });
  const { ImageBuildId: id } = await kiln.submit(bodyOf({ Url: url('team/app.git') }));
  const second = git.commit('team/app.git', { 'main.txt': 'second words' });
  expect(second).not.toBe(commit);
  expect(await kiln.ended(id)).toMatchObject({ State: 'succeeded' });
  const log = await kiln.logs(id);
  expect(log).toContain(`${url('team/app.git')} at ${commit}`);
  expect(log).toMatch(/commit of \d{4}-.* by Ada <ada@example\.com>: change Dockerfile/);
  expect(log).toContain('first words');
  expect(log).toContain('.dockerignore leaves out 1 of');
  expect(await requestOf(id)).toMatchObject({
    Type: 'Git',
    Commit: commit,
    Author: 'Ada <ada@example.com>',
    Subject: expect.stringContaining('change Dockerfile') as string,
    Id: expect.stringMatching(/^sha256:/) as string,
  });
  const asked = git.asked.length;
  const again = await kiln.pai('POST', `/api/v1/imagebuilds/${id}/rerun`, {
    body: { OverwriteImageTag: true, Image: { Name: 'again' } },
  });
  expect(again.status).toBe(200);
  expect(await kiln.ended(again.body.ImageBuildId)).toMatchObject({ State: 'succeeded' });
  expect(git.asked).toHaveLength(asked);
});

it('builds a tag, a commit and a folder of a repository, as docker writes them behind its address', async () => {
  const commit = git.commit(
    'team/mono.git',
    { 'services/api/Dockerfile': dockerfile(), 'services/api/main.txt': 'tagged' },
    { tag: 'v1' },
  );
  git.commit('team/mono.git', { 'services/api/main.txt': 'later' }, { branch: 'next' });
  const tagged = await buildOf({ Url: `${url('team/mono.git')}#v1:services/api` });
  expect(tagged.build).toMatchObject({ State: 'succeeded' });
  expect(tagged.log).toContain('tagged');
  const byCommit = await buildOf({ Url: url('team/mono.git'), Ref: commit, SubPath: 'services/api' });
  expect(byCommit.build).toMatchObject({ State: 'succeeded', Digest: tagged.build.Digest });
  const branch = await buildOf({ Url: `${url('team/mono.git')}?ref=next&subdir=services/api` });
  expect(branch.log).toContain('later');
  // One that no branch has any more is not given by every server.
  const lost = await buildOf({ Url: url('team/mono.git'), Ref: '1'.repeat(40) }, dockerfile());
  expect(lost.build).toMatchObject({ State: 'failed' });
  expect(lost.build.Error).toMatchObject({ Code: 'SourceInvalid', Message: expect.stringContaining('1111111') });
});

it('fetches submodules and files of LFS where they are asked for', async () => {
  git.commit('team/lib.git', { 'lib.txt': 'of the library' });
  git.commit('team/parent.git', { 'main.txt': 'parent' });
  git.git(
    'team/parent.git',
    'submodule',
    'add',
    '-q',
    '--name',
    'lib',
    join(dir, 'repositories/team/lib.git'),
    'vendor/lib',
  );
  git.git('team/parent.git', 'config', '-f', '.gitmodules', 'submodule.lib.url', '../lib.git');
  git.commit('team/parent.git', {});
  const look = `FROM ${kiln.base}\nCOPY . /app/\nRUN ls -R /app; cat /app/vendor/lib/lib.txt\n`;
  const without = await buildOf({ Url: url('team/parent.git') }, look);
  expect(without.build).toMatchObject({ State: 'failed' });
  const withThem = await buildOf({ Url: url('team/parent.git'), Submodules: true }, look);
  expect(withThem.build).toMatchObject({ State: 'succeeded' });
  expect(withThem.log).toContain('of the library');
  expect(withThem.log).toContain('(submodule vendor/lib)');

  git.commit('team/large.git', { 'model.bin': git.addLfs('weights '.repeat(20_000)), 'main.txt': 'x' });
  const weigh = `FROM ${kiln.base}\nCOPY . /app/\nRUN wc -c < /app/model.bin\n`;
  expect((await buildOf({ Url: url('team/large.git') }, weigh)).log).toMatch(/^13\d$/m);
  expect((await buildOf({ Url: url('team/large.git'), Lfs: true }, weigh)).log).toMatch(/^160000$/m);
});

it('says what is wrong with an address, a branch or credentials before anything is accepted', async () => {
  git.commit('team/app.git', {});
  git.commit('private/app.git', { Dockerfile: dockerfile(), 'main.txt': 'of few' });
  expect(await refusal({ Url: url('team/app.git'), Ref: 'nope' })).toMatchObject({
    status: 400, body: { Message: expect.stringMatching(/BuildConfig\.Context\.Ref.*no branch and no tag nope/) },
  }); // prettier-ignore
  expect(await refusal({ Url: url('team/none.git') })).toMatchObject({
    body: { Code: 'SourceNotFound', Message: expect.stringContaining('BuildConfig.Context.Url') },
  });
  expect(await refusal({ Url: url('private/app.git') })).toMatchObject({ status: 403, body: { Code: 'SourceDenied' } });
  for (const wrong of [
    'file:///etc',
    'ext::sh -c id',
    'http://example.com/a.git',
    '--upload-pack=id',
    `https://u:p@${git.httpHost}/a.git`,
    'git://example.com/a',
    'https://example.com/-x\n',
  ])
    expect([wrong, await refusal({ Url: wrong })]).toMatchObject([
      wrong,
      { status: 400, body: { Message: expect.stringContaining('BuildConfig.Context.Url') } },
    ]);
  for (const ref of ['--upload-pack=id', '-x', 'a..b', 'a b', 'a:b'])
    expect([ref, await refusal({ Url: url('team/app.git'), Ref: ref })]).toMatchObject([
      ref,
      { status: 400, body: { Message: expect.stringContaining('BuildConfig.Context.Ref') } },
    ]);
  expect(await refusal({ Url: 'https://169.254.169.254/latest.git' })).toMatchObject({
    body: { Code: 'AddressNotAllowed' },
  });
  expect(await refusal({ Url: url('team/app.git'), Id: `sha256:${'1'.repeat(64)}` })).toMatchObject({
    body: { Message: expect.stringContaining('does not go with Type Git') },
  });
  await kiln.admin(
    ['source', 'put', kiln.account.accountId, git.httpHost, '--tls', 'http', '--username', gitUser.username],
    {
      KILN_SOURCE_PASSWORD: gitUser.password,
    },
  );
  const known = await buildOf({ Url: url('private/app.git') });
  expect(known.build).toMatchObject({ State: 'succeeded' });
  expect(known.log).toContain('of few');
  expect(known.log).not.toContain(gitUser.password);
});

it('fetches by ssh with the account’s key, from a host that shows a key that is known', async () => {
  const commit = git.commit('team/ssh.git', { Dockerfile: dockerfile(), 'main.txt': 'by ssh' });
  const address = `ssh://root@${git.sshHost}${join(dir, 'repositories/team/ssh.git')}`;
  expect(await refusal({ Url: address })).toMatchObject({
    body: { Code: 'SourceDenied', Message: expect.stringContaining('not known') },
  });
  const put = (...more: string[]) =>
    kiln.admin(['source', 'put', kiln.account.accountId, git.sshHost, '--key', git.keyFile, '--known-hosts', ...more]);
  const wrong = join(dir, 'wrong-hosts');
  writeFileSync(wrong, `x ssh-ed25519 ${'A'.repeat(68)}\n`);
  await put(wrong);
  expect(await refusal({ Url: address })).toMatchObject({ body: { Code: 'SourceDenied' } });
  await put(git.knownHostsFile);
  const { build, log } = await buildOf({ Url: address });
  expect(build).toMatchObject({ State: 'succeeded' });
  expect(log).toContain(commit);
  expect(log).toContain('by ssh');
  expect(await refusal({ Url: `ssh://root@${git.sshHost}/nowhere.git` })).toMatchObject({
    body: { Code: 'SourceNotFound' },
  });
});

it('builds an address that is given to the command', async () => {
  const commit = git.commit('team/cli.git', { 'api/Dockerfile': dockerfile(), 'api/main.txt': 'from the command' });
  // Not in step: the server of the repository runs in this process.
  const command = (...args: string[]) =>
    new Promise<{ code: number | null; said: string }>((resolve) => {
      const child = spawn(process.execPath, [join(root, 'apps/cli/kiln.mjs'), ...args], {
        env: { HOME: dir, KILN_URL: kiln.url, KILN_TOKEN: kiln.account.token },
      });
      let said = '';
      for (const it of [child.stdout, child.stderr]) it.on('data', (bytes: Buffer) => (said += bytes.toString()));
      child.on('close', (code) => resolve({ code, said }));
    });
  const built = await command('build', '-t', 'e2e/from-git:v1', `${url('team/cli.git')}#main:api`);
  expect(built).toEqual({ code: 0, said: expect.stringContaining(commit) });
  expect(built.said).toContain('from the command');
  const submitted = await command('submit', '-t', 'e2e/from-git:v2', `${url('team/cli.git')}#main:api`);
  expect(submitted).toEqual({ code: 0, said: expect.stringMatching(/^build-\w+\n$/) });
  const refused = await command('build', '-t', 'e2e/from-git:v1', `${url('team/cli.git')}#nope`);
  expect(refused).toEqual({ code: 2, said: expect.stringContaining('no branch and no tag nope') });
});
