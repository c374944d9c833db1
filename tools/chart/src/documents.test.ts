import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { format } from 'prettier';
import { parse } from 'yaml';
import { valuesOf } from './testing/combinations.ts';
import { chart, helm, helmWith, render, root } from './testing/helm.ts';
import { disagreements, valuesTable } from './testing/values-table.ts';

const deployed = (name: string): string => readFileSync(join(root, 'deploy', name), 'utf8');

it('the values have a place in the schema, and those of the schema a default', () => {
  expect(disagreements()).toEqual([]);
});

it('the table of README.md is what schema and defaults say', async () => {
  const file = join(chart, 'README.md');
  const [begin, end] = ['<!-- values: begin -->', '<!-- values: end -->'];
  const text = readFileSync(file, 'utf8');
  const [before, rest] = text.split(begin);
  const after = rest?.split(end)[1];
  const table = await format(valuesTable(), { parser: 'markdown' });
  const written = `${before}${begin}\n\n${table}\n${end}${after}`;
  if (process.env['KILN_WRITE_DOCS'] === '1') writeFileSync(file, written);
  else expect(text).toBe(written);
});

describe('what is watched', () => {
  it('has the alerts of deploy/prometheus and the dashboard of deploy/grafana, and nothing else', async () => {
    const objects = await render(valuesOf('everything that is watched'));
    const rule = objects.find((it) => it.kind === 'PrometheusRule');
    expect(rule?.['spec']).toEqual(parse(deployed('prometheus/alerts.yml')));
    const dashboard = objects.find((it) => it.metadata.name === 'kiln-dashboard');
    expect(dashboard?.['data']).toEqual({ 'kiln.json': deployed('grafana/kiln.json') });
    expect(dashboard?.metadata.labels).toMatchObject({ grafana_dashboard: '1' });
  });
});

describe('the chart as a package', () => {
  it('has the files that are links in the repository, and renders the same', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'kiln-package-'));
    try {
      const { ok, stderr } = await helm('package', chart, '--destination', folder);
      expect({ ok, stderr: ok ? '' : stderr }).toEqual({ ok: true, stderr: '' });
      const [name = ''] = readdirSync(folder);
      const values = valuesOf('everything that is watched');
      expect(await render(values, join(folder, name))).toEqual(await render(values));
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe('the notes after an installation', () => {
  const commands = join(root, 'apps/admin/src/commands');
  const sources = readdirSync(commands)
    .filter((it) => it.endsWith('.ts'))
    .map((it) => readFileSync(join(commands, it), 'utf8'))
    .join('\n');
  const isCommand = (word: string): boolean => new RegExp(`command\\(\\s*'${word}[ ']`).test(sources);

  it('name only commands that admin has, and the deployments that the chart makes', async () => {
    const values = valuesOf('least');
    const { ok, stdout } = await helmWith(values, 'install', 'kiln', chart, '--dry-run=client');
    expect(ok).toBe(true);
    const notes = stdout.slice(stdout.indexOf('NOTES:'));
    const lines = notes.matchAll(/(?:^ {2}kiln-admin|main\.js)(?: \\\n)? +((?:create |registry )?[a-z][a-z-]+)/gm);
    const typed = [...lines].map(([, it = '']) => it);
    expect(typed).toEqual(['create account', 'create user', 'create token', 'registry put', 'first-build']);
    expect(typed.flatMap((it) => it.split(' ')).filter((it) => !isCommand(it))).toEqual([]);
    const names = new Set((await render(values)).map((it) => `${it.kind} ${it.metadata.name}`));
    for (const [, kind = '', name = ''] of notes.matchAll(/(deployment|service)\/([a-z-]+)/g))
      expect(names).toContain(`${kind === 'service' ? 'Service' : 'Deployment'} ${name}`);
  });
});
