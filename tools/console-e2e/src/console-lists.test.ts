import type { Browser, Page } from 'playwright-core';
import { openBrowser, signIn, visit } from '@kiln/stack/browser';
import { exampleRequest } from '@kiln/persistence/testing';
import { openTestKiln, type TestKiln } from '@kiln/stack/testing';

const count = 100_000;
let kiln: TestKiln;
let browser: Browser;
beforeAll(async () => {
  kiln = await openTestKiln();
  const { accountId, projectId, workspaceId, userId } = kiln.account;
  for (let from = 1; from <= count; from += 20_000)
    await kiln.database.db.$client.query(
      `INSERT INTO builds (id, job_id, account_id, project_id, workspace_id, user_id, request_hash, request, display_name, image_name,
         registry_connection_id, host, repository, tag, overwrite, accessibility, state, phase, attempt, created_at, started_at, finished_at)
       SELECT 'build-' || lpad(n::text, 18, '0'), 'dlc-' || lpad(n::text, 18, '0'), $1, $2, $3, $4, '', $7, 'b', 'image-' || n,
         'cri-local', 'registry.example.com', 'ml/repo', 'v' || n, false, 'PRIVATE', 'succeeded', 'tag', 1,
         now() - n * interval '1 minute', now() - n * interval '1 minute', now() - n * interval '1 minute' + interval '20 seconds'
       FROM generate_series($5::int, $6::int) AS n`,
      [accountId, projectId, workspaceId, userId, from, from + 19_999, JSON.stringify(exampleRequest)],
    );
  await kiln.database.db.$client.query('VACUUM ANALYZE builds');
  browser = await openBrowser();
});
afterAll(async () => {
  await browser.close();
  await kiln.stop();
});

/** Sum of the shifts that nobody caused by a click or a key. */
const watchShifts = (page: Page) =>
  page.addInitScript(`
    window.shifted = 0;
    new PerformanceObserver((list) => {
      for (const it of list.getEntries()) if (!it.hadRecentInput) window.shifted += it.value;
    }).observe({ type: 'layout-shift', buffered: true });`);
const shifted = (page: Page) => page.evaluate<number>('window.shifted');
const rows = (page: Page) => page.getByRole('row');

it('a hundred thousand builds are scrolled through, with those in sight drawn and no others', async () => {
  const { page } = await visit(browser, kiln.url);
  await signIn(page, kiln.account.token);
  await page.goto('/builds');
  await page.getByRole('link', { name: 'image-1', exact: true }).waitFor();
  await page.mouse.move(600, 500);
  // As far as the pages come; a busy machine takes longer for them.
  const deep = () => page.evaluate<number>('scrollY');
  for (let n = 0; (await deep()) < 20_000 && n < 1500; n += 1) {
    await page.mouse.wheel(0, 1500);
    await page.waitForTimeout(15);
    if (n % 20 === 0) expect(await rows(page).count()).toBeLessThan(80);
  }
  expect(await deep()).toBeGreaterThanOrEqual(20_000);
  // Where it stands, there are rows, and not a gap.
  await page.locator('[role=row] a').first().waitFor();
  const texts = await page.locator('[role=row] a').allInnerTexts();
  const numbers = texts.map((it) => Number(it.slice('image-'.length)));
  expect(numbers).toEqual(numbers.map((_, n) => (numbers[0] ?? 0) + n));
  expect(numbers[0]).toBeGreaterThan(300);
  // A row far down leads on.
  await page.locator('[role=row] a').nth(5).click();
  await page.getByRole('heading', { level: 1 }).waitFor();
});

it('nothing moves under the reader’s hand while builds come and change', async () => {
  const { page } = await visit(browser, kiln.url);
  await watchShifts(page);
  await signIn(page, kiln.account.token);
  await page.goto('/builds');
  await page.getByRole('link', { name: 'image-1', exact: true }).waitFor();
  const before = await shifted(page);
  const body = kiln.buildRequest(`FROM ${kiln.base}\nRUN for n in 1 2 3 4 5 6; do echo tick $n; sleep 0.5; done\n`);
  const { ImageBuildId: id } = await kiln.submit(body);
  await page.getByRole('button', { name: '1 new build' }).click();
  await page.locator('[data-state=running]').first().waitFor();
  await kiln.ended(id);
  await page.locator(`a[href="/builds/${id}"]`).locator('xpath=../..').locator('[data-state=succeeded]').waitFor();
  expect((await shifted(page)) - before).toBeLessThan(0.01);
});
