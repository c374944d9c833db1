import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { join } from 'node:path';
import { program } from './parts.ts';

/** Debian's Chromium, without a window. */
export const openBrowser = (): Promise<Browser> =>
  chromium.launch({
    executablePath: program('chromium'),
    // As root it has no sandbox of its own; it opens our own pages only.
    args: ['--no-sandbox', '--disable-dev-shm-usage', '--hide-scrollbars'],
  });

export interface Visit {
  width?: number;
  height?: number;
  scheme?: 'light' | 'dark';
}

/** A browser's window on a Kiln, where nobody has signed in. */
export async function visit(
  browser: Browser,
  url: string,
  { width = 1280, height = 860, scheme = 'light' }: Visit = {},
): Promise<{ page: Page; context: BrowserContext }> {
  const context = await browser.newContext({
    baseURL: url,
    viewport: { width, height },
    colorScheme: scheme,
    reducedMotion: 'reduce',
    locale: 'en-GB',
    timezoneId: 'UTC',
  });
  // No promise of the console's: a busy machine may need half a minute for a page.
  context.setDefaultTimeout(60_000);
  return { context, page: await context.newPage() };
}

/** Signs in as people do: with a token, in the form. */
export async function signIn(page: Page, token: string): Promise<void> {
  await page.goto('/');
  await page.getByLabel('Token').fill(token);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('heading', { name: 'Overview' }).waitFor();
}

/** A picture of a whole page, where `KILN_SHOTS` names a folder for pictures. */
export async function shoot(page: Page, name: string): Promise<void> {
  const dir = process.env['KILN_SHOTS'];
  if (dir) await page.screenshot({ path: join(dir, `${name}.png`), fullPage: true });
}
