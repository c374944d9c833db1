import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { eventually, testsAll, testStack } from '@kiln/kit/testing';
import { ensureDebianBase, root } from '@kiln/stack';
import { openTestKiln, type TestKiln } from '@kiln/stack/testing';
import { readProfiles } from '@kiln/usecases';
import { format } from 'prettier';

const [begin, end] = ['<!-- rules: begin -->', '<!-- rules: end -->'];
const profiles = readProfiles();
const pageOf = (name: string) => join(root, 'docs/profiles', `${name}.md`);

// Some install hundreds of packages.
const long = testsAll ? it.concurrent : it.skip;

let kiln: TestKiln;
let debian: string;
beforeAll(async () => {
  if (!testsAll) return;
  kiln = await openTestKiln();
  const stack = testStack();
  debian = await ensureDebianBase(stack.registryHost, join(stack.dir, 'work'));
});
afterAll(() => (testsAll ? kiln.stop() : undefined));

it.each(profiles.map((it) => [it.name, it] as const))('the page of %s has its rules', async (name, profile) => {
  const rows = profile.rules.map(
    ({ id, title, severity, source, date }) => `| ${id} | ${title} | ${severity} | ${source}, ${date} |`,
  );
  const table = ['| rule | asks for | severity | source |', '| --- | --- | --- | --- |', ...rows];
  const notes = profile.notes.map((it) => `- ${it}`);
  const rules = await format([...table, '', ...notes].join('\n'), { parser: 'markdown' });
  const text = readFileSync(pageOf(name), 'utf8');
  const written = `${text.split(begin)[0]}${begin}\n\n${rules}\n${end}${text.split(end)[1]}`;
  if (process.env['KILN_WRITE_DOCS'] === '1') writeFileSync(pageOf(name), written);
  else expect(text).toBe(written);
});

long.each(profiles.map((it) => it.name))(
  'the Dockerfile of the page of %s makes an image that passes',
  async (name) => {
    const [, dockerfile = ''] = /```dockerfile\n([^]*?)```/.exec(readFileSync(pageOf(name), 'utf8')) ?? [];
    expect(dockerfile).toMatch(/^FROM debian:13\n/);
    const { ImageBuildId } = await kiln.submit(kiln.buildRequest(dockerfile.replace('debian:13', debian)));
    const ended = await eventually(
      async () => {
        const { body } = await kiln.pai('GET', `/api/v1/imagebuilds/${ImageBuildId}`);
        return ['succeeded', 'failed'].includes(body.State as string) ? body : undefined;
      },
      'the build',
      500_000,
    );
    expect({ state: ended.State, error: ended.Error }).toEqual({ state: 'succeeded', error: undefined });
    const facts = await eventually(
      async () => {
        const query = { Profiles: name };
        const { body } = await kiln.pai('GET', `/api/v1/images/${ended.ImageId}/facts`, { query });
        return body.State === 'done' ? body : undefined;
      },
      'the facts',
      120_000,
    );
    const [shown] = facts.Profiles;
    const bad = shown.Checks.filter((it: any) => !['pass', 'not-applicable'].includes(it.Result));
    expect({ bad, verdict: shown.Verdict }).toEqual({ bad: [], verdict: 'pass' });
  },
  600_000,
);
