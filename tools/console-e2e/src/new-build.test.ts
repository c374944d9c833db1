import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { openBrowser, signIn, visit } from '@kiln/stack/browser';
import { type GitServers, openTestKiln, startGitServers, type TestKiln } from '@kiln/stack/testing';

let kiln: TestKiln;
let git: GitServers;
let browser: Browser;
let page: Page;
const dir = mkdtempSync(join(tmpdir(), 'kiln-new-build-'));
beforeAll(async () => {
  git = await startGitServers(dir);
  kiln = await openTestKiln({
    platform: { resources: { small: { CPU: '1', Memory: '1Gi' } }, networks: { office: { allow: ['192.0.2.0/24'] } } },
  });
  await kiln.admin(['source', 'put', kiln.account.accountId, git.httpHost, '--tls', 'http']);
  browser = await openBrowser();
  ({ page } = await visit(browser, kiln.url));
  await page.goto('/builds/new');
  await signIn(page, kiln.account.token);
});
afterAll(async () => {
  await browser.close();
  await git.close();
  await kiln.stop();
  rmSync(dir, { recursive: true });
});

/** A folder with a Dockerfile, an ignore file, and a path that is longer than a tar's header takes. */
function project(): { path: string; long: string } {
  const path = join(dir, 'project');
  const long = `${'deep/'.repeat(20)}a.txt`;
  const files = {
    Dockerfile: `FROM ${kiln.base}\nARG WHO\nCOPY . /app/\nRUN echo hello $WHO; cat /app/${long}; ls /app\n`,
    '.dockerignore': 'secret.env\n',
    'secret.env': 'x',
    [long]: 'words from the deep\n',
  };
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(join(path, name, '..'), { recursive: true });
    writeFileSync(join(path, name), content);
  }
  return { path, long };
}

const form = async (name: string) => {
  await page.evaluate('sessionStorage.clear()');
  await page.goto('/builds/new');
  await page.getByLabel('Name').fill(name);
  await page.getByLabel('Repository and tag').fill(`console/${name}:v${Date.now()}`);
};
const build = () => page.getByRole('button', { name: 'Build', exact: true });
const ended = async (state: string) => {
  await page.locator(`[data-state="${state}"]`).first().waitFor();
  return page.getByRole('log');
};

it('takes a folder, leaves out what its ignore file says, and builds it with arguments and what the platform offers', async () => {
  const { path } = project();
  await page.setViewportSize({ width: 1280, height: 860 });
  await form('from-a-folder');
  await build().waitFor();
  expect(await build().isDisabled()).toBe(true);
  // In sight, without scrolling.
  const box = await build().boundingBox();
  expect((box?.y ?? 1000) + (box?.height ?? 0)).toBeLessThan(860);
  await page.getByText('Folder or archive').click();
  await page.getByLabel('Folder', { exact: true }).setInputFiles(path);
  await page.getByText('project: 3 files').waitFor();
  await page.getByText('.dockerignore leaves out 1').waitFor();
  // Its Dockerfile is in the editor now.
  await page.getByText('4 steps on').waitFor();
  await page.getByLabel('Build arguments').fill('WHO');
  await page.getByText('each line is NAME=value').waitFor();
  expect(await build().isDisabled()).toBe(true);
  await page.getByLabel('Build arguments').fill('WHO=console');
  await page.getByRole('combobox', { name: 'Resource class' }).click();
  await page.getByRole('option', { name: 'small (1 processor' }).click();
  await page.getByRole('combobox', { name: 'Network' }).click();
  await page.getByRole('option', { name: 'office' }).click();
  if (process.env['KILN_SHOTS']) await page.screenshot({ path: join(process.env['KILN_SHOTS'], 'new-build.png') });
  await build().click();
  const log = await ended('succeeded');
  await log.getByText('hello console', { exact: true }).waitFor();
  await log.getByText('words from the deep', { exact: true }).waitFor();
  expect(await log.getByText('secret.env').count()).toBe(0);
});

it('takes an archive, and says what is wrong with one', async () => {
  const { path } = project();
  const file = join(dir, 'project.tar.gz');
  execFileSync('tar', ['-C', path, '-czf', file, '.']);
  await form('from-an-archive');
  await page.getByText('Folder or archive').click();
  await page
    .getByLabel('Archive', { exact: true })
    .setInputFiles({ name: 'bad.tar', mimeType: 'application/x-tar', buffer: Buffer.from('no tar') });
  await page.getByRole('alert').getByText('The files were not taken').waitFor();
  await page.getByLabel('Archive', { exact: true }).setInputFiles(file);
  await page.getByText('project.tar.gz: ').waitFor();
  await build().click();
  await (await ended('succeeded')).getByText('words from the deep', { exact: true }).waitFor();
  await page.getByRole('tab', { name: 'Files' }).click();
  await page.getByText('.dockerignore leaves out 1 entry').waitFor();
  await page.getByRole('row', { name: 'secret.env (left out)' }).waitFor();
  await page.getByText('Largest first').click();
  await page.getByRole('row', { name: 'Dockerfile' }).first().waitFor();
  if (process.env['KILN_SHOTS']) await page.screenshot({ path: join(process.env['KILN_SHOTS'], 'files.png') });
});

it('takes what is dropped on it', async () => {
  await form('from-a-drop');
  await page.getByText('Folder or archive').click();
  // A folder cannot be made in a script: files can.
  const dockerfile = `FROM ${kiln.base}\nCOPY a.txt /\nRUN cat /a.txt\n`;
  const data = await page.evaluateHandle(`(() => {
    const transfer = new DataTransfer();
    transfer.items.add(new File([${JSON.stringify(dockerfile)}], 'Dockerfile'));
    transfer.items.add(new File(['it was dropped\\n'], 'a.txt'));
    return transfer;
  })()`);
  await page
    .getByRole('group', { name: 'Drop a folder or an archive here' })
    .dispatchEvent('drop', { dataTransfer: data });
  await page.getByText('2 files, ').waitFor();
  await build().click();
  await (await ended('succeeded')).getByText('it was dropped', { exact: true }).waitFor();
});

it('builds a repository with the Dockerfile that is in it', async () => {
  const commit = git.commit('team/app.git', {
    'api/Dockerfile': `FROM ${kiln.base}\nCOPY main.txt /\nRUN cat /main.txt\n`,
    'api/main.txt': 'out of git',
  });
  await form('from-git');
  await page.getByText('Git repository').click();
  await page.getByLabel('Address').fill(`https://${git.httpHost}/team/app.git`);
  await page.getByLabel('Branch, tag or commit').fill('nope');
  await page.getByLabel('Folder', { exact: true }).fill('api');
  await build().click();
  await page.getByRole('alert').getByText('no branch and no tag nope').waitFor();
  await page.getByLabel('Branch, tag or commit').fill('main');
  if (process.env['KILN_SHOTS']) await page.screenshot({ path: join(process.env['KILN_SHOTS'], 'new-build-git.png') });
  await build().click();
  const log = await ended('succeeded');
  await log.getByText('out of git', { exact: true }).waitFor();
  await log.getByText(commit).first().waitFor();
});
