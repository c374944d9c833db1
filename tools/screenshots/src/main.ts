// `npm run screenshots`: every page of the console in both themes and three widths, of a Kiln that really runs, into
// docs/screenshots.
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { eventually } from '@kiln/kit/testing';
import { openBrowser, signIn, visit } from '@kiln/stack/browser';
import { openReceiver, openTestKiln, startTestStack } from '@kiln/stack/testing';
import { setStage } from './stage.ts';
import { root } from '@kiln/stack';

const { values } = parseArgs({ options: { to: { type: 'string' }, only: { type: 'string' } } });
const to = values.to ?? join(root, 'docs/screenshots');
const stack = await startTestStack(join(root, '.kiln/screenshots'));
process.env['KILN_TEST_STACK'] = stack.file;
const receiver = await openReceiver();
const kiln = await openTestKiln({ env: { KILN_WEBHOOK_OPEN_ADDRESSES: '127.0.0.1' } });
const browser = await openBrowser();
try {
  const stage = await setStage(kiln, `http://${receiver.host}/`);
  const pages: Record<string, string> = {
    overview: '/',
    builds: '/builds',
    'build-failed': `/builds/${stage.failed}`,
    'build-succeeded': `/builds/${stage.succeeded}`,
    'new-build': `/builds/new?from=${stage.failed}`,
    images: '/images',
    image: `/images/${stage.imageId}`,
    retention: '/images/retention',
    campaign: `/builds/campaigns/${stage.campaignId}`,
    queues: '/queues',
    workers: '/workers',
    settings: '/settings',
    webhooks: '/settings?tab=webhooks',
  };
  const wanted = Object.entries(pages).filter(([name]) => values.only === undefined || name === values.only);
  if (values.only === undefined) rmSync(to, { recursive: true, force: true });
  mkdirSync(to, { recursive: true });
  const sizes = [
    [360, 740],
    [1280, 860],
    [2560, 1440],
  ] as const;
  for (const scheme of ['light', 'dark'] as const)
    for (const [width, height] of sizes) {
      const { page, context } = await visit(browser, kiln.url, { width, height, scheme });
      if (values.only === undefined) {
        await page.goto('/');
        await page.getByLabel('Token').waitFor();
        await page.screenshot({ path: join(to, `sign-in-${scheme}-${width}.png`) });
      }
      await signIn(page, kiln.account.token);
      for (const [name, path] of wanted) {
        await page.goto(path);
        await page.getByRole('heading', { level: 1 }).waitFor();
        const loading = page.locator('[aria-busy=true]');
        await eventually(async () => ((await loading.count()) === 0 ? true : undefined), `${name} to be loaded`);
        // The live log and the editor come a moment later.
        await page.waitForTimeout(700);
        await page.screenshot({ path: join(to, `${name}-${scheme}-${width}.png`) });
      }
      await context.close();
    }
  console.log(`${(wanted.length + 1) * 6} pictures in ${to}`);
} finally {
  await browser.close();
  await kiln.stop();
  await stack.stop();
  receiver.close();
}
