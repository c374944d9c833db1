import { execFile } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { operations } from '@kiln/contract';
import { Validator } from '@seriousme/openapi-schema-validator';
import openapiTS, { astToString } from 'openapi-typescript';
import { root } from '@kiln/stack';
import { openTestKiln, type TestKiln } from '@kiln/stack/testing';

const run = promisify(execFile);
let kiln: TestKiln;
let document: any;
beforeAll(async () => {
  kiln = await openTestKiln({ apps: ['registrar'] });
  document = await (await fetch(`${kiln.url}/openapi.json`)).json();
});
afterAll(() => kiln.stop());

it('is a valid document of version 3.1', async () => {
  const { valid, errors } = await new Validator().validate(structuredClone(document));
  expect(errors ?? []).toEqual([]);
  expect(valid).toBe(true);
  expect(document.openapi).toMatch(/^3\.1\./);
});

it('has every operation, with an example and every error', () => {
  const described = Object.entries<any>(document.paths).flatMap(([path, methods]) =>
    Object.entries<any>(methods).map(([method, it]) => [`${method.toUpperCase()} ${path}`, it] as const),
  );
  const found = new Map(described);
  for (const it of operations) {
    const one = found.get(`${it.method} ${it.path}`);
    expect(one?.operationId).toBe(it.name);
    const success = one.responses[String(it.statuses[0])];
    for (const type of Object.keys(success.content ?? {}).filter((name) => name.includes('json')))
      expect(success.content[type].example).toEqual(it.example.reply);
    if (it.body) expect(one.requestBody.content['application/json'].example).toEqual(it.example.body);
    const listed = Object.values<any>(one.responses).flatMap((answer) => answer.description.split(', ') as string[]);
    for (const code of [...it.errors, 'InvalidParameter', 'Throttling', 'InternalError'])
      expect(listed).toContain(code);
  }
});

// Written against what the generator makes of the document; that it compiles is half of the test.
const smoke = `
import createClient from 'openapi-fetch';
import type { paths } from './kiln.js';

const [url, token, workspace, project, image] = process.argv.slice(2) as [string, string, string, string, string];
const client = createClient<paths>({ baseUrl: url, headers: { authorization: \`Bearer \${token}\` } });

const added = await client.POST('/api/v1/images', {
  body: { Name: 'typed', ImageUri: image, WorkspaceId: workspace, Labels: [{ Key: 'a', Value: 'b' }] },
});
const list = await client.GET('/api/v1/images', { params: { query: { WorkspaceId: workspace, PageSize: '5', Verbose: 'true' } } });
const names: string[] | undefined = list.data?.Images.map((it) => it.Name);
const page = await client.GET('/v1/{project_id}/images', { params: { path: { project_id: project }, query: { limit: '5' } } });
const total: number | undefined = page.data?.total;
const missing = await client.GET('/api/v1/jobs/{JobId}', { params: { path: { JobId: 'dlc-none' } } });
const code: string | undefined = missing.error && 'Code' in missing.error ? missing.error.Code : undefined;
// @ts-expect-error a field that there is not
void list.data?.Nothing;
console.log(JSON.stringify({ added: added.response.status, names, total, code }));
`;

it('makes a typed client that compiles, and works', async () => {
  const dir = join(kiln.stack.dir, 'typed-client');
  mkdirSync(dir, { recursive: true });
  writeFileSync(join(dir, 'kiln.ts'), astToString(await openapiTS(document)));
  writeFileSync(join(dir, 'smoke.ts'), smoke);
  writeFileSync(join(dir, 'package.json'), '{ "type": "module" }');
  const options = { strict: true, module: 'nodenext', target: 'es2023', types: ['node'], skipLibCheck: true, outDir: 'out', rootDir: '.' }; // prettier-ignore
  writeFileSync(join(dir, 'tsconfig.json'), JSON.stringify({ compilerOptions: options, files: ['smoke.ts'] }));
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  await run(process.execPath, [tsc, '-p', dir]).catch((error: { stdout: string }) => {
    throw new Error(error.stdout);
  });
  const { token, workspaceId, projectId } = kiln.account;
  const args = [join(dir, 'out/smoke.js'), kiln.url, token, workspaceId, projectId, kiln.base];
  const { stdout } = await run(process.execPath, args);
  expect(JSON.parse(stdout)).toEqual({ added: 200, names: ['typed'], total: 1, code: 'NotFound' });
});

it('is shown on a page that fetches nothing from elsewhere', async () => {
  const page = await fetch(`${kiln.url}/docs`);
  const html = await page.text();
  expect(page.status).toBe(200);
  expect(page.headers.get('content-security-policy')).toContain("default-src 'none'");
  expect(html).not.toMatch(/https?:/);
  const assets = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map((it) => it[1] ?? '');
  expect(assets.length).toBeGreaterThan(2);
  for (const it of assets) expect((await fetch(kiln.url + it)).status).toBe(200);
});
