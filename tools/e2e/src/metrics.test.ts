import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from '@kiln/kit/testing';
import { freePort, root } from '@kiln/stack';
import { openTestKiln, type TestKiln } from '@kiln/stack/testing';

const deploy = join(root, 'deploy');
let kiln: TestKiln;
let api: string;
const ports: Record<string, number> = {};
beforeAll(async () => {
  kiln = await openTestKiln({ apps: [] });
  for (const it of ['api', 'builder', 'registrar']) ports[it] = await freePort();
  const setting = (app: string) => ({ KILN_METRICS_PORT: String(ports[app]) });
  api = await kiln.startApi(setting('api'));
  kiln.start('builder', setting('builder'));
  kiln.start('registrar', setting('registrar'));
});
afterAll(() => kiln.stop());

const scrape = async (app: string): Promise<string> => (await fetch(`http://127.0.0.1:${ports[app]}/metrics`)).text();
/** Sum of a metric's samples whose labels hold all of these. */
const sum = (text: string, name: string, labels: Record<string, string> = {}): number =>
  text
    .split('\n')
    .filter((it) => it.startsWith(`${name}{`) || it.startsWith(`${name} `))
    .filter((it) => Object.entries(labels).every(([key, value]) => it.includes(`${key}="${value}"`)))
    .reduce((total, it) => total + Number(it.slice(it.lastIndexOf(' ') + 1)), 0);

describe('metrics', () => {
  it('count what happened, in every process', async () => {
    const body = kiln.buildRequest(`FROM ${kiln.base}\nRUN echo measured\n`);
    await kiln.ended((await kiln.submit(body)).ImageBuildId);
    await kiln.ended((await kiln.submit(kiln.buildRequest(`FROM ${kiln.base}\nRUN exit 3\n`))).ImageBuildId);
    const headers = { authorization: `Bearer ${kiln.account.token}` };
    expect((await fetch(`${api}/api/v1/imagebuilds`, { headers })).status).toBe(200);
    const [ofApi, ofBuilder, ofRegistrar] = await Promise.all(['api', 'builder', 'registrar'].map(scrape));
    const of = { api: ofApi ?? '', builder: ofBuilder ?? '', registrar: ofRegistrar ?? '' };
    expect(sum(of.api, 'kiln_http_requests_total', { operation: 'ListImageBuilds', status: '200' })).toBe(1);
    expect(sum(of.api, 'kiln_http_request_duration_seconds_count', { operation: 'ListImageBuilds' })).toBe(1);
    expect(sum(of.registrar, 'kiln_builds_ended_total', { state: 'succeeded', class: 'none' })).toBe(1);
    expect(sum(of.builder, 'kiln_builds_ended_total', { state: 'failed', class: 'user' })).toBe(1);
    expect(sum(of.builder, 'kiln_build_phase_duration_seconds_count', { phase: 'build', result: 'ok' })).toBe(1);
    expect(sum(of.registrar, 'kiln_build_phase_duration_seconds_count', { phase: 'verify', result: 'ok' })).toBe(1);
    expect(sum(of.builder, 'kiln_registry_requests_total', { host: kiln.stack.registryHost })).toBeGreaterThan(3);
    expect(sum(of.builder, 'kiln_registry_bytes_total')).toBeGreaterThan(100);
    expect(sum(of.builder, 'kiln_log_bytes_total')).toBeGreaterThan(50);
    expect(sum(of.builder, 'kiln_build_steps_total', { result: 'ok' })).toBeGreaterThan(0);
    expect(sum(of.builder, 'kiln_engine_room_uses_total', { room: 'cold' })).toBeGreaterThan(0);
    expect(sum(of.registrar, 'kiln_builder_slots')).toBe(2);
    for (const text of Object.values(of)) {
      expect(sum(text, 'kiln_database_connections', { state: 'idle' })).toBeGreaterThan(0);
      expect(text).toMatch(/^nodejs_eventloop_lag_p99_seconds\{/m);
    }
  });

  it('show what waits, by lane', async () => {
    const slow = () => kiln.submit(kiln.buildRequest(`FROM ${kiln.base}\nRUN : ${Math.random()}; sleep 30\n`));
    const ids = [];
    for (let n = 0; n < 4; n += 1) ids.push((await slow()).ImageBuildId);
    await eventually(async () => {
      const text = await scrape('registrar');
      return sum(text, 'kiln_builds_waiting', { lane: 'normal' }) === 2 && sum(text, 'kiln_builder_slots_busy') === 2 ? true : undefined; // prettier-ignore
    }, 'two to wait and two to run');
    for (const id of ids) await kiln.pai('POST', `/api/v1/imagebuilds/${id}/cancel`);
    for (const id of ids) await kiln.ended(id);
    expect(sum(await scrape('registrar'), 'kiln_builds_waiting')).toBe(0);
  });

  it('follow the naming conventions, and name nobody', async () => {
    const text = (await Promise.all(['api', 'builder', 'registrar'].map(scrape))).join('\n');
    const types = [...text.matchAll(/^# TYPE (kiln_\S+) (\S+)$/gm)].map(([, name = '', type = '']) => ({ name, type }));
    expect(types.length).toBeGreaterThan(20);
    for (const { name, type } of types) {
      if (type === 'counter') expect(name).toMatch(/_total$/);
      if (type === 'histogram') expect(name).toMatch(/_seconds$/);
      if (type === 'gauge') expect(name).not.toMatch(/_total$/);
    }
    for (const it of [kiln.account.accountId, kiln.account.accountName, kiln.account.userId, 'build-', 'e2e/'])
      expect(text).not.toContain(it);
  });

  it.each(['grafana/kiln.json', 'prometheus/alerts.yml'])('are those that %s asks for', async (file) => {
    const text = (await Promise.all(['api', 'builder', 'registrar'].map(scrape))).join('\n');
    const known = new Set([...text.matchAll(/^# TYPE (\S+) /gm)].map(([, name]) => name));
    const asked = new Set(readFileSync(join(deploy, file), 'utf8').match(/\b(?:kiln|nodejs|process)_[a-z0-9_]+/g));
    expect(asked.size).toBeGreaterThan(5);
    expect([...asked].filter((it) => !known.has(it.replace(/_(?:bucket|sum|count)$/, '')))).toEqual([]);
  });
});
