import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { chart } from './testing/helm.ts';
import { settingsOf } from './testing/settings-of-apps.ts';

it('the settings of each app are those that its sources name', () => {
  expect([...settingsOf('api')]).toEqual(
    expect.arrayContaining(['KILN_API_PORT', 'KILN_CONTEXT_BUCKET', 'KILN_REDIS_URL']),
  );
  expect([...settingsOf('builder')]).toEqual(expect.arrayContaining(['KILN_DRAIN_MS', 'KILN_METRICS_PORT']));
  expect(settingsOf('registrar')).not.toContain('KILN_DRAIN_MS');
  expect(settingsOf('admin')).toContain('KILN_API_PASSWORD');
});

it('the chart refuses as settings only what Kiln reads', () => {
  const text = readFileSync(join(chart, 'templates/_checks-settings.tpl'), 'utf8');
  const reserved = [...text.matchAll(/^(KILN_\w+): /gm)].map(([, name = '']) => name);
  const all = new Set(['api', 'builder', 'registrar', 'admin'].flatMap((it) => [...settingsOf(it)]));
  expect(reserved.length).toBeGreaterThan(15);
  expect(reserved.filter((it) => !all.has(it))).toEqual([]);
});
