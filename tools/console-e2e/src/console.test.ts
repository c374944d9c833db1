import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { eventually } from '@kiln/kit/testing';
import type { Browser, Page } from 'playwright-core';
import { freePort } from '@kiln/stack';
import { openBrowser, signIn, visit } from '@kiln/stack/browser';
import { openReceiver, openTestKiln, type Receiver, type TestKiln } from '@kiln/stack/testing';

let kiln: TestKiln;
let browser: Browser;
let page: Page;
let metrics: string;
// Where a webhook goes.
let receiver: Receiver;
const troubles: string[] = [];
beforeAll(async () => {
  receiver = await openReceiver();
  const port = await freePort();
  metrics = `http://127.0.0.1:${port}/metrics`;
  kiln = await openTestKiln({
    apps: [],
    env: { KILN_WEBHOOK_OPEN_ADDRESSES: '127.0.0.1', KILN_METRICS_PORT: String(port) },
  });
  // Metrics are of the api; a port is one process's.
  for (const app of ['builder', 'registrar'] as const) kiln.start(app, { KILN_METRICS_PORT: '' });
  browser = await openBrowser();
  ({ page } = await visit(browser, kiln.url));
  page.on('pageerror', (error) => troubles.push(error.message));
  page.on('console', (it) => {
    if (it.type() === 'error' && /Content Security Policy|Uncaught/.test(it.text())) troubles.push(it.text());
  });
});
afterAll(async () => {
  await browser.close();
  await kiln.stop();
  receiver.close();
});

const type = async (dockerfile: string) => {
  const editor = page.getByRole('textbox', { name: 'Dockerfile' });
  await editor.click();
  await page.keyboard.press('Control+A');
  await page.keyboard.insertText(dockerfile);
};
const state = (label: string) => page.locator(`[data-state="${label}"]`).first();

describe('somebody with a browser', () => {
  it('signs in with a token, for a session that no script can read', async () => {
    await page.goto('/builds');
    await page.getByLabel('Token').fill('kiln_wrong');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('alert').getByText('unknown, expired or revoked').waitFor();
    await signIn(page, kiln.account.token);
    const [cookie] = await page.context().cookies();
    expect(cookie).toMatchObject({ name: 'kiln-session', httpOnly: true, sameSite: 'Strict', path: '/' });
    expect(cookie?.value).not.toBe(kiln.account.token);
    expect(await page.evaluate('document.cookie + JSON.stringify([localStorage, sessionStorage])')).not.toMatch(
      /kiln_/,
    );
  });

  it('submits a build in the form, watches its log arrive, and reads why it failed', async () => {
    await page.getByRole('link', { name: 'New build' }).first().click();
    await type('FRM nowhere\n');
    await page.getByText('unknown instruction FRM').first().waitFor();
    expect(await page.getByRole('button', { name: 'Build', exact: true }).isDisabled()).toBe(true);
    await type(`FROM ${kiln.base}\nRUN for n in 1 2 3 4 5; do echo "line $n"; sleep 1; done; pip install nothing\n`);
    await page.getByLabel('Name').fill('from-the-form');
    await page.getByLabel('Repository and tag').fill(`console/form-${Date.now()}:v1`);
    await page.getByText('2 steps on').waitFor();
    await page.getByRole('button', { name: 'Build', exact: true }).click();
    await page.getByRole('heading', { name: 'from-the-form' }).waitFor();
    const log = page.getByRole('log');
    await log.getByText('line 2', { exact: true }).waitFor();
    // Live: it is not over yet.
    expect(await log.getByText('line 5', { exact: true }).count()).toBe(0);
    expect(await state('running').count()).toBe(1);
    await log.getByText('line 5', { exact: true }).waitFor();
    await state('failed').waitFor();
    const diagnosis = page.getByRole('alert');
    await diagnosis.getByText('There is no command pip in the image').waitFor();
    await diagnosis.getByRole('button', { name: 'Dockerfile line 2' }).click();
    expect(await page.locator('[data-failed]').allInnerTexts()).toEqual([
      expect.stringContaining('pip install nothing'),
    ]);
  });

  it('mends it, builds again, and finds the image', async () => {
    await page.getByRole('link', { name: 'Edit and build' }).click();
    await page.getByText('which failed: There is no command pip').waitFor();
    await type(`FROM ${kiln.base}\nRUN echo mended\n`);
    await page.getByText('2 steps on').waitFor();
    await page.getByRole('button', { name: 'Build', exact: true }).click();
    await state('succeeded').waitFor();
    await page.getByRole('log').getByText('mended', { exact: true }).waitFor();
    await page.getByRole('tab', { name: 'Compared' }).click();
    await page.getByText('was the first that had to run').waitFor();
    await page.getByRole('link', { name: 'Images' }).click();
    await page.getByLabel('Search by name or description').fill('the-form');
    await page.getByRole('link', { name: 'from-the-form' }).click();
    await page.getByText('docker pull').waitFor();
    await page.getByText('RUN echo mended').waitFor();
    await page.getByRole('link', { name: /^build-/ }).click();
    await state('succeeded').waitFor();
  });

  it('searches a log, and links to a line of it', async () => {
    const { ImageBuildId: id } = await kiln.submit(
      kiln.buildRequest(
        `FROM ${kiln.base}\nRUN for n in $(seq 1 5000); do echo "row $n"; done; echo needle; echo last\n`,
      ),
    );
    await kiln.ended(id);
    await page.goto(`/builds/${id}`);
    await page.getByText('Complete').waitFor();
    await page.getByLabel('Search in the log').fill('needle');
    await page.getByText('1 of 2').waitFor();
    await page.getByLabel('Search in the log').press('Enter');
    await page.getByRole('log').getByText('needle', { exact: true }).waitFor();
    // Only what is in sight is drawn.
    expect(await page.getByRole('log').locator('[data-index]').count()).toBeLessThan(120);
    await page.goto(`/builds/${id}#L2000`);
    await page.reload();
    await page.getByRole('log').getByRole('link', { name: 'Line 2000', exact: true }).waitFor();
  });

  it('uses it by the keyboard alone', async () => {
    await page.goto('/builds');
    await page.getByRole('link', { name: 'from-the-form' }).first().waitFor();
    await page.getByLabel('Search by image name').focus();
    for (let n = 0; n < 6; n += 1) {
      await page.keyboard.press('Tab');
      if (await page.evaluate('document.activeElement?.getAttribute("href")?.startsWith("/builds/build-")')) break;
    }
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { level: 1 }).waitFor();
    expect(page.url()).toContain('/builds/build-');
  });

  it('sees what others do without asking, and lets go of the events while the page is out of sight', async () => {
    await page.goto('/builds');
    await page.getByRole('link', { name: 'from-the-form' }).first().waitFor();
    const asked: string[] = [];
    page.on('request', (it) => asked.push(it.url()));
    await eventually(async () => Object.keys((await kiln.pai('GET', '/api/v1/overview', { query: { Hours: '3' } })).body.Live as object).length === 0 || undefined, 'the end of all builds'); // prettier-ignore
    asked.length = 0;
    // Past what it asks for by itself while it has no events.
    await page.waitForTimeout(6000);
    const before = asked.filter((it) => it.includes('/imagebuilds?')).length;
    expect(before).toBeLessThanOrEqual(3);
    const begun = Date.now();
    await kiln.submit(kiln.buildRequest(`FROM ${kiln.base}\nRUN echo by somebody else\n`));
    await page.getByRole('button', { name: '1 new build' }).waitFor();
    expect(Date.now() - begun).toBeLessThan(15_000);
    const readers = async () =>
      Number(/^kiln_event_readers\S* (\d+)$/m.exec(await (await fetch(metrics)).text())?.[1] ?? -1);
    await eventually(async () => (await readers()) === 1 || undefined, 'one reader of events');
    const other = await page.context().newPage();
    await other.bringToFront();
    await page.evaluate(`
      Object.defineProperty(document, 'visibilityState', { value: 'hidden', configurable: true });
      document.dispatchEvent(new Event('visibilitychange'));`);
    await eventually(async () => (await readers()) === 0 || undefined, 'no reader of events');
    await other.close();
  });

  it('adds a webhook, tries it out, and sees what came of it', async () => {
    await page.goto('/settings?tab=webhooks');
    const address = page.getByLabel('Address');
    await address.fill('http://nowhere.example.com/');
    await page.getByRole('button', { name: 'Add webhook' }).click();
    await page.getByText('Url: must be an https address').waitFor();
    await address.fill(`http://${receiver.host}/`);
    await page.getByRole('button', { name: 'Add webhook' }).click();
    await page.getByText(/^whsec_/).waitFor();
    await page.getByRole('button', { name: 'Test' }).click();
    const test = page.getByRole('row').filter({ hasText: 'webhook.test' });
    await test.getByText('delivered', { exact: true }).waitFor();
    const sent = () => receiver.received.filter((it) => it.body.includes('"type":"webhook.test"')).length;
    expect(sent()).toBe(1);
    await test.getByRole('button', { name: 'Send again' }).click();
    await eventually(() => sent() === 2 || undefined, 'the second delivery');
  });

  it('signs out, after which the session is good for nothing', async () => {
    const cookies = await page.context().cookies();
    await page.getByRole('button', { name: /^Signed in as/ }).click();
    await page.getByRole('menuitem', { name: 'Sign out' }).click();
    await page.getByLabel('Token').waitFor();
    const header = { cookie: cookies.map((it) => `${it.name}=${it.value}`).join('; ') };
    // Within the two seconds for which answers are remembered.
    await page.waitForTimeout(2100);
    const answer = await fetch(`${kiln.url}/api/v1/imagebuilds`, { headers: header });
    expect(answer.status).toBe(401);
  });

  it('never met an error of the page’s own', () => {
    expect(troubles).toEqual([]);
  });
});

describe('the jobs in Redis', () => {
  it('are shown to operators of the installation, with nothing but ids, and to nobody else', async () => {
    const opened = await visit(browser, kiln.url);
    await opened.page.goto('/admin/queues');
    await opened.page.getByLabel('Token').waitFor();
    await signIn(opened.page, kiln.account.token);
    const body = kiln.buildRequest(`FROM ${kiln.base}\nRUN : ${Date.now()}; sleep 8\n`);
    const { ImageBuildId: id } = await kiln.submit(body);
    await opened.page.goto('/admin/queues');
    await opened.page.getByText('image-register').first().waitFor();
    await opened.page.goto('/admin/queues/queue/image-build?status=active');
    await opened.page.getByText(id).first().waitFor();
    const text = await opened.page.locator('body').innerText();
    expect(text).not.toContain('FROM');
    await kiln.pai('POST', `/api/v1/imagebuilds/${id}/cancel`);
    await opened.context.close();
    const ask = (init: RequestInit) => fetch(`${kiln.url}/admin/queues/api/queues`, { redirect: 'manual', ...init });
    expect((await ask({ headers: { accept: 'application/json' } })).status).toBe(401);
    const authorization = `Bearer ${kiln.account.token}`;
    expect((await ask({ headers: { authorization } })).status).toBe(200);
    expect((await ask({ method: 'PUT', headers: { authorization } })).status).toBe(403);
  });
});

describe('a session', () => {
  const begin = async () => {
    const answer = await fetch(`${kiln.url}/api/v1/session`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ Token: kiln.account.token }),
    });
    const cookie = (answer.headers.get('set-cookie') ?? '').split(';')[0] ?? '';
    return { cookie, body: (await answer.json()) as any };
  };

  it('changes nothing without its CSRF token, and is no bearer token', async () => {
    const { cookie, body } = await begin();
    const cancel = (headers: Record<string, string>) =>
      fetch(`${kiln.url}/api/v1/imagebuilds/build-none/cancel`, { method: 'POST', headers: { cookie, ...headers } });
    expect((await cancel({})).status).toBe(403);
    expect((await cancel({ 'kiln-csrf': '0'.repeat(64) })).status).toBe(403);
    expect((await cancel({ 'kiln-csrf': body.CsrfToken })).status).toBe(404);
    const secret = cookie.split('=')[1] ?? '';
    const bearer = await fetch(`${kiln.url}/api/v1/imagebuilds`, { headers: { authorization: `Bearer ${secret}` } });
    expect(bearer.status).toBe(401);
    const again = await fetch(`${kiln.url}/api/v1/session`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ Token: secret }),
    });
    expect(again.status).toBe(401);
  });

  it('ends with the token that it was begun with', async () => {
    const made = await kiln.database.db.$client.query(
      `UPDATE tokens SET revoked_at = now() WHERE session_of IS NULL AND account_id = $1 RETURNING id`,
      [kiln.account.accountId],
    );
    expect(made.rowCount).toBeGreaterThan(0);
    await kiln.database.db.$client.query(`UPDATE tokens SET revoked_at = NULL WHERE id = ANY($1)`, [
      made.rows.map((it) => it.id),
    ]);
    const { cookie } = await begin();
    await kiln.database.db.$client.query(`UPDATE tokens SET revoked_at = now() WHERE id = ANY($1)`, [
      made.rows.map((it) => it.id),
    ]);
    await new Promise((resolve) => setTimeout(resolve, 2200));
    expect((await fetch(`${kiln.url}/api/v1/imagebuilds`, { headers: { cookie } })).status).toBe(401);
    await kiln.database.db.$client.query(`UPDATE tokens SET revoked_at = NULL WHERE id = ANY($1)`, [
      made.rows.map((it) => it.id),
    ]);
    await new Promise((resolve) => setTimeout(resolve, 2200));
  });
});

describe('the pages', () => {
  const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
  let [build, image] = ['', ''];
  beforeAll(async () => {
    const { ImageBuildId } = await kiln.submit(kiln.buildRequest(`FROM ${kiln.base}\nRUN nothing-of-the-kind\n`));
    build = ImageBuildId;
    await kiln.ended(build);
    const done = await kiln.submit(kiln.buildRequest(`FROM ${kiln.base}\nRUN true\n`));
    image = (await kiln.ended(done.ImageBuildId)).ImageId;
  });

  it.each([
    ['light', 1280],
    ['dark', 360],
  ] as const)(
    'have no serious fault by axe, and fit: %s, %d wide',
    async (scheme, width) => {
      const opened = await visit(browser, kiln.url, { scheme, width });
      const paths = ['/', '/builds', `/builds/${build}`, `/builds/new?from=${build}`, '/images', `/images/${image}`,
        ...['/images/drift', '/images/packages', '/images/retention', '/builds/campaigns', '/builds/campaigns/new'],
        '/queues', '/workers', '/settings', '/settings?tab=webhooks']; // prettier-ignore
      const check = async (path: string) => {
        await opened.page.evaluate(axe);
        const found = await opened.page.evaluate<[string, string, string][]>(
          `axe.run({ resultTypes: ['violations'] }).then(({ violations }) => violations.map((it) => [it.impact, it.id, it.nodes.map((node) => node.target.join(' ')).slice(0, 4).join(', ')]))`,
        );
        const wide = await opened.page.evaluate<number>('document.documentElement.scrollWidth - innerWidth');
        return {
          path,
          serious: found.filter(([impact]) => impact === 'serious' || impact === 'critical'),
          tooWide: Math.max(0, wide),
        };
      };
      const seen = [];
      await opened.page.goto('/');
      await opened.page.getByLabel('Token').waitFor();
      seen.push(await check('sign in'));
      await signIn(opened.page, kiln.account.token);
      for (const path of paths) {
        await opened.page.goto(path);
        await opened.page.getByRole('heading', { level: 1 }).waitFor();
        await opened.page.waitForTimeout(600);
        seen.push(await check(path));
      }
      await opened.context.close();
      expect(seen).toEqual(seen.map(({ path }) => ({ path, serious: [], tooWide: 0 })));
    },
    120_000,
  );

  it('need no more than 250 kB of compressed JavaScript for the first one', async () => {
    const opened = await visit(browser, kiln.url);
    let bytes = 0;
    opened.page.on('response', (it) => {
      if (it.url().endsWith('.js')) bytes += Number(it.headers()['content-length']);
    });
    await signIn(opened.page, kiln.account.token);
    await opened.page.getByText('Latest builds').waitFor();
    await opened.context.close();
    expect(bytes).toBeGreaterThan(50_000);
    expect(bytes).toBeLessThanOrEqual(250_000);
  });

  it('come from here alone', async () => {
    const opened = await visit(browser, kiln.url);
    const hosts = new Set<string>();
    opened.page.on('request', (it) => hosts.add(new URL(it.url()).host));
    await signIn(opened.page, kiln.account.token);
    await opened.page.goto(`/builds/new?from=${build}`);
    await opened.page.getByRole('textbox', { name: 'Dockerfile' }).waitFor();
    await opened.context.close();
    expect([...hosts]).toEqual([new URL(kiln.url).host]);
  });
});
