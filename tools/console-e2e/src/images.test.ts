import type { Browser, Page } from 'playwright-core';
import { openBrowser, shoot, signIn, visit } from '@kiln/stack/browser';
import { openTestKiln, type TestKiln } from '@kiln/stack/testing';

let kiln: TestKiln;
let browser: Browser;
let page: Page;
beforeAll(async () => {
  kiln = await openTestKiln();
  browser = await openBrowser();
  ({ page } = await visit(browser, kiln.url));
  await signIn(page, kiln.account.token);
});
afterAll(async () => {
  await browser.close();
  await kiln.stop();
});

it('shows what an image stands on, what stands on it, and what changed in it', async () => {
  const built = async (dockerfile: string, uri?: string) => {
    const request = kiln.buildRequest(dockerfile);
    const Image = uri === undefined ? request.Image : { ...request.Image, Uri: uri };
    const { ImageBuildId } = await kiln.submit({ ...request, Image, OverwriteImageTag: true });
    const { ImageId } = await kiln.ended(ImageBuildId);
    return { id: ImageId as string, name: Image.Name, uri: Image.Uri };
  };
  const base = await built(`FROM ${kiln.base}\nRUN echo 1 > /one\n`);
  const top = await built(`FROM ${base.uri}\nRUN echo 2 > /two\n`);
  const newer = await built(`FROM ${kiln.base}\nRUN echo 1 > /one && echo 3 > /three\n`, base.uri);
  await page.goto(`/images/${top.id}`);
  const bases = page.getByRole('region', { name: 'Bases' });
  await bases.getByText('has a newer image').waitFor();
  await bases.getByRole('link', { name: newer.name }).waitFor();
  await shoot(page, 'bases');
  await bases.getByRole('link', { name: base.uri }).click();
  await page.getByRole('region', { name: 'Dependents' }).getByRole('link', { name: top.name }).waitFor();

  await page.goto(`/images/${newer.id}`);
  await page.getByRole('button', { name: 'Compare with the image before it' }).click();
  await page.getByText('1 shared, 1 new').waitFor();
  await page.getByText('The packages are the same.').waitFor();
  await shoot(page, 'comparison');
});

it('tries a policy out, keeps it, and shows an image that it refuses; and verifies what is attached to one', async () => {
  const Labels = [{ Key: 'system.supported.eas', Value: 'true' }];
  const built = async (port: number) => {
    const dockerfile = `FROM ${kiln.base}\nEXPOSE ${port}\nCMD ["sh"]\n`;
    const body = kiln.buildRequest(dockerfile, { image: { Labels } });
    return { body, ...(await kiln.ended((await kiln.submit(body)).ImageBuildId)) };
  };
  const made = await built(8080);
  await page.goto(`/images/${made.ImageId}`);
  const documents = page.getByRole('region', { name: 'Attached documents' });
  await documents.getByText('Provenance (SLSA)').waitFor();
  await documents.getByRole('button', { name: 'Verify: Signature' }).click();
  await documents.getByText('verified', { exact: true }).waitFor();
  await shoot(page, 'attached');

  await page.goto('/settings?tab=policy');
  await page.getByRole('combobox', { name: 'When an image fails a profile' }).click();
  await page.getByRole('option', { name: /Refuse the image/ }).click();
  await page.getByRole('button', { name: 'Try the policy' }).click();
  await page.getByLabel('Outcome').getByText('1 fail').waitFor();
  await page.getByRole('region', { name: 'Images that fail' }).getByText('pai-eas P1: it exposes 8080').waitFor();
  await shoot(page, 'policy');
  const kept = page.waitForResponse((it) => it.url().endsWith('/policy') && it.request().method() === 'PUT');
  await page.getByRole('button', { name: 'Keep the policy' }).click();
  expect((await kept).status()).toBe(200);

  const refused = await built(9090);
  expect(refused.Error).toMatchObject({ Code: 'PolicyRefused' });
  await page.goto(`/builds/${refused.ImageBuildId}`);
  await page
    .getByText(/the policy of its workspace refuses the image/)
    .first()
    .waitFor();
  await shoot(page, 'refused');
});

it('has an image verified again that is back in its registry', async () => {
  const { ImageId } = await kiln.ended(
    (await kiln.submit(kiln.buildRequest(`FROM ${kiln.base}\nRUN echo 4 > /four\n`))).ImageBuildId,
  );
  const { ImageUri, Digest } = (await kiln.pai('GET', `/api/v1/images/${ImageId}`)).body;
  const [, host, repository] = /^([^/]+)\/(.+):[^:]+$/.exec(ImageUri) ?? [];
  const url = `http://${host}/v2/${repository}/manifests/${Digest}`;
  const type = 'application/vnd.oci.image.manifest.v1+json';
  const manifest = await (await fetch(url, { headers: { accept: type } })).text();
  expect((await fetch(url, { method: 'DELETE' })).status).toBe(202);
  const synced = await kiln.pai('POST', `/api/v1/images/${ImageId}/verify`);
  expect(synced.body).toMatchObject({ ImageId, Status: 'ERROR' });
  await page.goto(`/images/${ImageId}`);
  await page.getByText(synced.body.StatusMessage).first().waitFor();
  const put = { method: 'PUT', body: manifest, headers: { 'content-type': type } };
  expect((await fetch(url, put)).status).toBe(201);
  await page.getByRole('button', { name: 'Verify again' }).click();
  await page.getByText('The registry has it as it should be.').waitFor();
  await page.getByRole('button', { name: 'Verify again' }).waitFor({ state: 'detached' });
});
