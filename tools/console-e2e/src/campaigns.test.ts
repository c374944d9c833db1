import type { Browser, Page } from 'playwright-core';
import { openBrowser, shoot, signIn, visit } from '@kiln/stack/browser';
import { openTestKiln, type TestKiln } from '@kiln/stack/testing';

let kiln: TestKiln;
let browser: Browser;
let page: Page;
const asked: string[] = [];
beforeAll(async () => {
  kiln = await openTestKiln();
  const off = { body: { Mode: 'off', Attest: 'off' } };
  await kiln.pai('PUT', `/api/v1/workspaces/${kiln.account.workspaceId}/policy`, off);
  browser = await openBrowser();
  ({ page } = await visit(browser, kiln.url));
  page.on('dialog', (it) => {
    asked.push(it.message());
    void it.accept();
  });
  await signIn(page, kiln.account.token);
});
afterAll(async () => {
  await browser.close();
  await kiln.stop();
});

const built = async (dockerfile: string) => {
  const request = kiln.buildRequest(dockerfile);
  const ended = await kiln.ended((await kiln.submit(request)).ImageBuildId);
  return {
    id: ended.ImageId as string,
    name: request.Image.Name,
    uri: request.Image.Uri,
    build: ended.ImageBuildId as string,
  };
};
const rows = () => page.getByRole('region', { name: 'Images of the campaign' }).getByRole('row');
const outcome = (name: string, label: string) => rows().filter({ hasText: name }).getByText(label, { exact: true });
const button = (name: string) => page.getByRole('button', { name, exact: true });
const campaignCount = async () => (await kiln.pai('GET', '/api/v1/campaigns')).body.Campaigns.length as number;

it('says what a campaign is for, and lists exactly what it would build before it builds it', async () => {
  const base = await built(`FROM ${kiln.base}\nRUN echo 1 > /one\n`);
  const top = await built(`FROM ${base.uri}\nRUN date +%N > /two\n`);
  await page.goto('/builds/campaigns');
  await page.getByText('No campaign yet').waitFor();
  await page.getByRole('link', { name: 'New campaign' }).first().click();

  // What the api refuses stands at the field that it names, and nothing is made.
  await button('List the images').click();
  await page.getByText(/^is required, or MadeFrom/).waitFor();
  expect(await campaignCount()).toBe(0);

  await page.getByLabel('Title').fill('What stands on one');
  await page.getByRole('combobox', { name: 'Made from' }).fill(base.name);
  await page.getByRole('option', { name: base.name }).click();
  await page.getByLabel('Builds an hour').fill('100000');
  await shoot(page, 'campaign-new');
  await button('List the images').click();
  await page.getByText('Nothing is built yet').waitFor();
  await rows().filter({ hasText: top.uri }).waitFor();
  // Its header, and the one image that stands on it.
  expect(await rows().count()).toBe(2);
  const builds = async () => (await kiln.pai('GET', '/api/v1/imagebuilds')).body.ImageBuilds.length as number;
  const before = await builds();
  await shoot(page, 'campaign-planned');

  await button('Start').click();
  await outcome(top.name, 'Built').waitFor();
  expect(asked.at(-1)).toContain('Build 1 image anew');
  expect(await builds()).toBe(before + 1);
  await page.getByText('1 built', { exact: true }).waitFor();
  await page.getByRole('heading', { level: 1 }).getByText('Done').waitFor();
  expect(await button('Cancel').count()).toBe(0);
  await shoot(page, 'campaign-done');
  await rows()
    .getByRole('link', { name: /^build-/ })
    .click();
  await page.getByText('Rerun of').waitFor();
});

it('shows why a campaign stopped, and lets it go on and be cancelled', async () => {
  const both = [await built(`FROM ${kiln.base}\nRUN true\n`), await built(`FROM ${kiln.base}\nRUN echo > /good\n`)];
  await page.goto(`/builds/campaigns/new?images=${both.map((it) => it.id).join(',')}`);
  await page.getByLabel('Title').fill('Stops');
  // The second one would be built an hour after the first.
  await page.getByLabel('Builds an hour').fill('1');
  await button('List the images').click();
  await rows().nth(2).waitFor();
  const first = await rows().nth(1).innerText();
  const failing = both.find((it) => first.includes(it.name));
  await kiln.database.db.$client.query(
    `UPDATE builds SET request = jsonb_set(request, '{dockerfile}', to_jsonb($2::text)) WHERE id = $1`,
    [failing?.build, `FROM ${kiln.base}\nRUN false\n`],
  );
  await button('Start').click();
  await page.getByText('1 of the first 1 failed', { exact: false }).first().waitFor();
  await page.getByRole('heading', { level: 1 }).getByText('Stopped').waitFor();
  await page.getByText('1 failed, 1 to go').waitFor();
  await shoot(page, 'campaign-stopped');
  await page.getByRole('combobox', { name: 'Outcome' }).click();
  await page.getByRole('option', { name: 'Failed' }).click();
  await rows().nth(2).waitFor({ state: 'detached' });
  expect(await rows().count()).toBe(2);

  await button('Resume').click();
  await button('Pause').click();
  await page.getByRole('heading', { level: 1 }).getByText('Paused').waitFor();
  await button('Resume').click();
  await button('Cancel').click();
  await page.getByRole('heading', { level: 1 }).getByText('Cancelled').waitFor();
  await page.getByText('1 failed, 1 left out').waitFor();
  await page.getByRole('link', { name: 'Campaigns' }).click();
  const listed = page.getByRole('region', { name: 'Campaigns' }).getByRole('row').filter({ hasText: 'Stops' });
  await listed.getByText('Cancelled').waitFor();
  await shoot(page, 'campaigns');
});

it('keeps campaigns from those who are no operators', async () => {
  const { UserId } = (await kiln.pai('POST', '/api/v1/users', { body: { Name: 'dev', Role: 'developer' } })).body;
  const { Token } = (await kiln.pai('POST', '/api/v1/tokens', { body: { UserId, Days: 1 } })).body;
  const other = await visit(browser, kiln.url);
  await signIn(other.page, Token as string);
  const pages = other.page.getByRole('navigation', { name: 'Pages' });
  await pages.getByRole('link', { name: 'Images' }).waitFor();
  expect(await pages.getByRole('link', { name: 'Campaigns' }).count()).toBe(0);
  await other.page.goto('/builds/campaigns/new');
  await other.page.getByText('There is no such page').waitFor();
  await other.context.close();
});
