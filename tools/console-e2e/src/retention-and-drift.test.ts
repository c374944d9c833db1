import { randomUUID } from 'node:crypto';
import { eventually } from '@kiln/kit/testing';
import { pushImage } from '@kiln/stack/client';
import type { Browser, Page } from 'playwright-core';
import { openBrowser, shoot, signIn, visit } from '@kiln/stack/browser';
import { openTestKiln, type TestKiln } from '@kiln/stack/testing';

/** Its own part of the registry, which other runs have used, too. */
const home = `kept-${randomUUID().slice(0, 8)}`;
let kiln: TestKiln;
let browser: Browser;
let page: Page;
const asked: string[] = [];
beforeAll(async () => {
  // Asks often, so that what has changed is soon seen.
  kiln = await openTestKiln({ env: { KILN_TAG_CHECK_S: '1', KILN_TAG_CHECKS_PER_MINUTE: '6000' } });
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

const row = (table: string, text: string) =>
  page.getByRole('region', { name: table }).getByRole('row').filter({ hasText: text });
const image = async (id: string) => (await kiln.pai('GET', `/api/v1/images/${id}`)).body;
/** An image of a repository, as old as it is to look. */
const add = async (repository: string, tag: string, days: number, Labels: object[] = []) => {
  const host = kiln.stack.registryHost;
  const path = `${home}/${repository}`;
  await pushImage(host, path, tag, 'amd64', undefined, `${repository}:${tag}`);
  const Name = `${repository}-${tag}-${home.slice(5)}`;
  const body = { Name, ImageUri: `${host}/${path}:${tag}`, WorkspaceId: kiln.account.workspaceId, Labels };
  const { ImageId } = (await kiln.pai('POST', '/api/v1/images', { body })).body;
  await eventually(async () => ((await image(ImageId)).Status === 'ACTIVE' ? true : undefined), 'ACTIVE');
  await kiln.database.db.$client.query(
    'UPDATE images SET created_at = now() - make_interval(days => $2) WHERE pai_id = $1',
    [ImageId, days],
  );
  return { id: ImageId as string, name: Name, path };
};

it('lists what rules let go with its reason, takes only that out once it is confirmed, and restores it', async () => {
  const [old, last] = [await add('app', 'v1', 90), await add('app', 'v2', 80)];
  await page.goto('/images');
  await page.getByRole('tab', { name: 'Retention' }).click();
  await page.getByText('Everything is kept').waitFor();
  await page.getByText('Without a rule, nothing may go').waitFor();
  await page.getByRole('button', { name: 'Add a rule' }).click();
  await page.getByText('Keep the rules first').waitFor();
  // What the api refuses stands at the field that it names.
  await page.getByRole('button', { name: 'Keep the rules' }).click();
  await page.getByText('must name a repository').waitFor();
  await page.getByRole('combobox', { name: 'For repositories' }).fill(`${home}/**`);
  await page.keyboard.press('Enter');
  await page.getByLabel('Keep the newest').fill('1');
  await page.getByLabel('Days until it is hidden').fill('3');
  await page.getByRole('button', { name: 'Keep the rules' }).click();
  await page.getByText('The rules are kept').waitFor();

  await page.getByRole('button', { name: 'Make a plan' }).click();
  await row('Images that may go', old.name).getByText('not among the last 1 of its repository').waitFor();
  expect(await row('Images that may go', last.name).count()).toBe(0);
  expect((await image(old.id)).StatusMessage).toBe('');
  // The plan outlives a reload: it is run by its id.
  await page.reload();
  await row('Images that may go', old.name).waitFor();
  await shoot(page, 'retention-plan');
  await page.getByRole('button', { name: 'Run this plan' }).click();
  await page.getByText('1 image deprecated').waitFor();
  expect(asked.at(-1)).toContain('After 3 days it is hidden');
  const going = row('Images on their way out', old.name);
  await going.getByText('Deprecated').waitFor();
  await going.getByText('hidden').waitFor();
  expect((await image(old.id)).StatusMessage).toContain('deprecated');
  expect((await image(last.id)).StatusMessage).toBe('');
  await shoot(page, 'retention-run');

  await page.goto(`/images/${old.id}`);
  await page.getByText('Deprecated', { exact: true }).waitFor();
  await shoot(page, 'image-deprecated');
  await page.getByRole('button', { name: 'Restore' }).click();
  await page.getByRole('button', { name: 'Restore' }).waitFor({ state: 'detached' });
  expect((await image(old.id)).StatusMessage).toBe('');
});

it('pins an image, which no plan lists any more, and unpins it', async () => {
  const path = `/api/v1/workspaces/${kiln.account.workspaceId}/retention`;
  const Rules = [{ Repositories: [`${home}/pinned`], KeepLast: 1, KeepDays: 1 }];
  await kiln.pai('PUT', path, { body: { Rules } });
  const old = await add('pinned', 'v1', 90);
  await add('pinned', 'v2', 80);
  const planned = async () =>
    (await kiln.pai('POST', `${path}/plans`)).body.Images.map((it: any) => it.ImageId) as string[];
  expect(await planned()).toEqual([old.id]);
  await page.goto(`/images/${old.id}`);
  await page.getByRole('button', { name: 'Pin it', exact: true }).click();
  await page.getByText('Pinned', { exact: true }).waitFor();
  expect(await planned()).toEqual([]);
  await page.getByRole('button', { name: 'Unpin it' }).click();
  await page.getByRole('button', { name: 'Pin it', exact: true }).waitFor();
  expect(await planned()).toEqual([old.id]);
});

it('shows how images differ from what the registry holds, by kind, with what their tags name now', async () => {
  await page.goto('/images/drift');
  await page.getByText('Nothing differs').waitFor();
  const made = await add('drifting', 'v1', 1);
  const pushed = await pushImage(kiln.stack.registryHost, made.path, 'v1', 'amd64', undefined, 'by somebody else');
  const shown = row('Images that differ', made.name);
  // It comes without a reload.
  await shown.getByText('Tag moved').waitFor({ timeout: 40_000 });
  await shown.getByText(pushed.digest.slice(0, 19)).waitFor();
  await shoot(page, 'drift');
  await page.getByRole('combobox', { name: 'Kind' }).click();
  await page.getByRole('option', { name: 'Image gone' }).click();
  await page.getByText('No image fits').waitFor();
  await page.goto('/images/drift?kind=moved');
  await shown.getByRole('link', { name: made.name }).click();
  await page.getByText(`its tag names ${pushed.digest} now`).waitFor();
});

it('offers a campaign for the images of which a base has a newer image', async () => {
  const submit = async (dockerfile: string, uri?: string) => {
    const request = kiln.buildRequest(dockerfile);
    const Image = uri === undefined ? request.Image : { ...request.Image, Uri: uri };
    await kiln.ended((await kiln.submit({ ...request, Image, OverwriteImageTag: true })).ImageBuildId);
    return { name: Image.Name, uri: Image.Uri };
  };
  const base = await submit(`FROM ${kiln.base}\nRUN echo 1 > /one\n`);
  const top = await submit(`FROM ${base.uri}\nRUN echo 2 > /two\n`);
  await submit(`FROM ${kiln.base}\nRUN echo 3 > /one\n`, base.uri);
  await page.goto('/images/drift?kind=stale');
  await row('Images that differ', top.name).getByText('Stale').waitFor({ timeout: 40_000 });
  await shoot(page, 'drift-stale');
  await page.getByRole('link', { name: 'Build the stale ones anew' }).click();
  await page.getByRole('button', { name: 'List the images' }).click();
  await row('Images of the campaign', top.uri).waitFor();
  expect(await page.getByRole('region', { name: 'Images of the campaign' }).getByRole('row').count()).toBe(2);
});

it('filters images by what was found in them, with how many there are of each', async () => {
  const python = (Value: string) => [{ Key: 'system.pythonVersion', Value }];
  const [a, b] = [await add('facets', 'a', 1, python('3.11')), await add('facets', 'b', 1, python('3.11'))];
  const c = await add('facets', 'c', 1, python('3.9'));
  await page.goto('/images?name=facets');
  await page.getByRole('combobox', { name: 'Python' }).click();
  await page.getByRole('option', { name: '3.9 1' }).waitFor();
  await shoot(page, 'facets');
  await page.getByRole('option', { name: '3.11 2' }).click();
  await page.getByText('2 images', { exact: true }).waitFor();
  for (const it of [a, b]) await row('Images', it.name).waitFor();
  expect(await row('Images', c.name).count()).toBe(0);
  await page.getByRole('combobox', { name: 'Python' }).click();
  await page.getByRole('option', { name: 'Python: any' }).click();
  await row('Images', c.name).waitFor();
});

it('says what is wrong with a condition on packages', async () => {
  await page.goto('/images/packages');
  await page.getByText('Which images have a package?').waitFor();
  await page.getByRole('textbox', { name: 'Packages' }).fill('torch 2');
  await page.getByRole('button', { name: 'Find images' }).click();
  await page.getByText('"torch 2" cannot be read').waitFor();
  expect(await page.getByRole('textbox', { name: 'Packages' }).getAttribute('aria-invalid')).toBe('true');
});

it('finds images by their packages', async () => {
  const dist = '/usr/lib/python3/dist-packages/torch-2.5.1.dist-info';
  const request = kiln.buildRequest(`FROM ${kiln.base}
RUN mkdir -p ${dist} && printf 'Name: torch\\nVersion: 2.5.1\\n' > ${dist}/METADATA
`);
  const { ImageId } = await kiln.ended((await kiln.submit(request)).ImageBuildId);
  await eventually(
    async () => ((await kiln.pai('GET', `/api/v1/images/${ImageId}/facts`)).body.State === 'done' ? true : undefined),
    'the facts of the image',
  );
  await page.goto('/images/packages');
  await page.getByRole('textbox', { name: 'Packages' }).fill('torch<2.6');
  await page.keyboard.press('Enter');
  await row('Images with these packages', request.Image.Name).getByText('torch 2.5.1').waitFor();
  await shoot(page, 'package-search');
});

it('shows viewers the rules, and nothing that they may not do', async () => {
  const path = `/api/v1/workspaces/${kiln.account.workspaceId}/retention`;
  await kiln.pai('PUT', path, { body: { Rules: [{ Repositories: [`${home}/shown/**`], KeepLast: 4, KeepDays: 5 }] } });
  const WorkspaceIds = [kiln.account.workspaceId];
  const body = { Name: 'onlooker', Role: 'viewer', WorkspaceIds };
  const { UserId } = (await kiln.pai('POST', '/api/v1/users', { body })).body;
  const { Token } = (await kiln.pai('POST', '/api/v1/tokens', { body: { UserId, Days: 1 } })).body;
  const other = await visit(browser, kiln.url);
  await signIn(other.page, Token as string);
  await other.page.goto('/images/retention');
  await other.page.getByRole('region', { name: 'Rules' }).getByText(`${home}/shown/**`).waitFor();
  for (const name of ['Keep the rules', 'Make a plan', 'Restore'])
    expect(await other.page.getByRole('button', { name }).count()).toBe(0);
  expect(await other.page.getByText('On their way out').count()).toBe(0);
  await other.context.close();
});
