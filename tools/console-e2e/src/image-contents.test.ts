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
});
afterAll(async () => {
  await browser.close();
  await kiln.stop();
});

const dockerfile = () => `FROM ${kiln.base}
RUN mkdir -p /usr/lib/python3/dist-packages/torch-2.6.0+cu124.dist-info && \\
    touch /usr/lib/python3/dist-packages/torch-2.6.0+cu124.dist-info/METADATA
RUN mkdir -p /root/.ssh && echo '-----BEGIN OPENSSH PRIVATE KEY-----' > /root/.ssh/id_rsa
EXPOSE 8080
`;

it('shows what is in an image, how it does by profiles with the lines that mend it, and its packages', async () => {
  const Labels = [
    { Key: 'system.supported.eas', Value: 'true' },
    { Key: 'system.dsw.cudaVersion', Value: '11.8' },
  ];
  const body = kiln.buildRequest(dockerfile(), { image: { Labels } });
  const { ImageBuildId } = await kiln.submit(body);
  const { ImageId } = await kiln.ended(ImageBuildId);
  await page.goto('/');
  await signIn(page, kiln.account.token);
  await page.goto(`/images/${ImageId}`);
  const facts = page.getByLabel('Facts');

  await facts.getByText('torch 2.6.0+cu124 (CUDA 12.4)').waitFor();
  await page.getByText('/root/.ssh/id_rsa (SSH key)').waitFor();
  await page.getByText('system.dsw.cudaVersion says 11.8, and it is 12.4').waitFor();
  // Its label says what it is for.
  const eas = page.getByLabel('PAI EAS', { exact: true });
  await eas.getByText('it exposes 8080, which the platform uses itself').waitFor();
  await eas.getByText('EXPOSE 8000').waitFor();
  await shoot(page, 'contents');
  await page.getByRole('combobox', { name: 'Hold it against' }).click();
  await page.getByRole('option', { name: 'ModelArts inference', exact: true }).click();
  await page.getByLabel('ModelArts inference', { exact: true }).getByText('/home/mind/model is free').waitFor();
  await page.keyboard.press('Escape');
  await page.getByRole('tab', { name: 'Packages' }).click();
  await page.getByLabel('Package', { exact: true }).fill('TOR');
  await page.getByText('1 of 1 packages').waitFor();
  await page
    .getByRole('region', { name: 'Packages' })
    .getByRole('cell', { name: /touch .*METADATA/ })
    .waitFor();
});
