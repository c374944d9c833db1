import { join } from 'node:path';
import { eventually } from '@kiln/kit/testing';
import type { Browser, Page } from 'playwright-core';
import { openBrowser, signIn, visit } from '@kiln/stack/browser';
import { openTestKiln, type TestKiln } from '@kiln/stack/testing';

let kiln: TestKiln;
let browser: Browser;
let page: Page;
beforeAll(async () => {
  kiln = await openTestKiln({ apps: [] });
  browser = await openBrowser();
  ({ page } = await visit(browser, kiln.url));
  page.on('dialog', (it) => void it.accept());
  await page.goto('/settings');
  await signIn(page, kiln.account.token);
});
afterAll(async () => {
  await browser.close();
  await kiln.stop();
});

const open = (tab: string) => page.goto(`/settings?tab=${tab}`);
const row = (table: string, text: string) =>
  page.getByRole('region', { name: table }).getByRole('row').filter({ hasText: text });
const shot = async (name: string) => {
  if (process.env['KILN_SHOTS']) await page.screenshot({ path: join(process.env['KILN_SHOTS'], `${name}.png`) });
};

it('an admin tries a registry and keeps it, and forgets it', async () => {
  await open('registries');
  await page.getByLabel('Name of the connection').fill('second');
  await page.getByLabel('Host').fill('127.0.0.1:1');
  await page.getByRole('button', { name: 'Try and add' }).click();
  await page.getByRole('alert').getByText('127.0.0.1:1').waitFor();
  await page.getByLabel('Host').fill(kiln.stack.registryHost);
  await page.getByRole('combobox', { name: 'Connection' }).click();
  await page.getByRole('option', { name: 'no TLS' }).click();
  await page.getByLabel('Repository to try a push in').fill('tried/here');
  await page.getByRole('button', { name: 'Try and add' }).click();
  await page.getByText('the registry answered, and takes a push').waitFor();
  await row('Registries', 'second').waitFor();
  await shot('registries');
  await page.getByRole('button', { name: 'Remove registry second' }).click();
  await row('Registries', 'second').waitFor({ state: 'detached' });
});

it('somebody makes a token that works, and an access key, and revokes both', async () => {
  await open('keys');
  await page.getByRole('button', { name: 'Make a token' }).click();
  const token = await page.getByRole('status').locator('code').innerText();
  const answer = await fetch(`${kiln.url}/api/v1/session`, { headers: { authorization: `Bearer ${token}` } });
  expect(answer.status).toBe(200);
  await shot('credentials');
  await page.getByRole('region', { name: 'Tokens' }).getByRole('button', { name: 'Remove' }).first().click();
  await page.getByRole('button', { name: 'Make an access key' }).click();
  const shown = page.getByText('Keep the secret of KILN');
  await shown.waitFor();
  const [id = ''] = /KILN\w+/.exec(await shown.innerText()) ?? [];
  await page.getByRole('button', { name: `Remove access key ${id}` }).click();
  await row('Access keys', id).waitFor({ state: 'detached' });
});

it('an admin makes a user who signs in, gives another role, and revokes the user; the last admin stays', async () => {
  await open('users');
  await page.getByLabel('Name', { exact: false }).first().fill('ada');
  await page.getByRole('button', { name: 'Make a user' }).click();
  const token = await page.getByRole('status').locator('code').innerText();
  const session = await fetch(`${kiln.url}/api/v1/session`, { headers: { authorization: `Bearer ${token}` } });
  expect(await session.json()).toMatchObject({ User: 'ada', Role: 'developer' });
  await page.getByRole('combobox', { name: 'Role of ada' }).click();
  await page.getByRole('option', { name: 'viewer' }).click();
  await shot('users');
  await page.getByRole('button', { name: 'Remove admin' }).click();
  await page.getByText('only admin of the account').first().waitFor();
  await page.getByRole('button', { name: 'Remove ada' }).click();
  await row('Users', 'ada').waitFor({ state: 'detached' });
});

it('an admin keeps a secret and a source of files', async () => {
  await open('builds');
  await page.getByLabel('Name', { exact: false }).first().fill('pip-token');
  await page.getByLabel('Value', { exact: false }).first().fill('a word');
  await page.getByRole('button', { name: 'Keep the secret' }).click();
  await row('Build secrets', 'pip-token').waitFor();
  await page.getByLabel('Host', { exact: false }).first().fill('git.example.com');
  await page.getByLabel('Keys of the host').fill('nonsense');
  await page.getByRole('button', { name: 'Keep the source' }).click();
  await page.getByRole('alert').getByText('ssh-keyscan').waitFor();
  await page.getByLabel('Keys of the host').fill('');
  await page.getByRole('button', { name: 'Keep the source' }).click();
  await row('Sources', 'git.example.com').waitFor();
  await shot('builds');
  await page.getByRole('button', { name: 'Remove source git.example.com' }).click();
  await page.getByText('No source yet').waitFor();
});

it('reads the present in the legend of a chart that nothing points at', async () => {
  await page.goto('/');
  const legend = page.locator('.u-legend').first();
  await legend.getByText('Succeeded').waitFor();
  await eventually(
    async () => (/From\s*\d\d:\d\d/.test(await legend.innerText()) ? true : undefined),
    'the legend tells of a time',
  );
  expect(await legend.innerText()).not.toContain('—');
});
