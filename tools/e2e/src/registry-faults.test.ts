import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { eventually, sampleOf } from '@kiln/kit/testing';
import {
  openRegistryFront,
  openTestKiln,
  type RegistryFront,
  type RegistryMood,
  type TestKiln,
} from '@kiln/stack/testing';

// Every request of a pull and of a push meets some faults, or each of them where everything is tested, in builds that
// run beside each other and beside some that nothing happens to. Whatever a registry answers, it is that one build's
// business.
let kiln: TestKiln;
let front: RegistryFront;
/** What the base's manifest names. */
let config = '';
let layer = '';
const run = randomUUID().slice(0, 6);

beforeAll(async () => {
  kiln = await openTestKiln({ env: { KILN_BUILDER_SLOTS: '4', KILN_TIME_SCALE: '0.6' } });
  const [, port] = kiln.stack.registryHost.split(':');
  // Each case has a base of its own, which the engine has never seen.
  front = await openRegistryFront(Number(port), (path) => path.replace(/\/case-[^/]+\/base\//, '/kiln/busybox/'));
  await kiln.trustPlainHttp(front.host);
  const accept = 'application/vnd.oci.image.manifest.v1+json';
  const answer = await fetch(`http://${kiln.stack.registryHost}/v2/kiln/busybox/manifests/base`, {
    headers: { accept },
  });
  const manifest = (await answer.json()) as { config: { digest: string }; layers: { digest: string }[] };
  [config, layer] = [manifest.config.digest, manifest.layers[0]?.digest ?? ''];
});
afterAll(async () => {
  await kiln.stop();
  await front.close();
});

const requests: { name: string; method: string; path: (it: string) => string }[] = [
  { name: 'HEAD of the base’s tag', method: 'HEAD', path: (it) => `/v2/${it}/base/manifests/base` },
  { name: 'GET of the base’s manifest', method: 'GET', path: (it) => `/v2/${it}/base/manifests/sha256` },
  { name: 'GET of the base’s config', method: 'GET', path: (it) => `/v2/${it}/base/blobs/${config}` },
  { name: 'HEAD of the base’s layer', method: 'HEAD', path: (it) => `/v2/${it}/base/blobs/${layer}` },
  { name: 'HEAD of the target’s tag', method: 'HEAD', path: (it) => `/v2/${it}/out/manifests/v1` },
  { name: 'GET of the base’s layer', method: 'GET', path: (it) => `/v2/${it}/base/blobs/${layer}` },
  { name: 'HEAD of a blob of the target', method: 'HEAD', path: (it) => `/v2/${it}/out/blobs/sha256` },
  { name: 'POST of an upload', method: 'POST', path: (it) => `/v2/${it}/out/blobs/uploads/` },
  { name: 'PUT of an upload', method: 'PUT', path: (it) => `/v2/${it}/out/blobs/uploads/` },
  { name: 'PUT of the manifest', method: 'PUT', path: (it) => `/v2/${it}/out/manifests/sha256:` },
  { name: 'GET of what was pushed', method: 'GET', path: (it) => `/v2/${it}/out/manifests/sha256` },
  { name: 'PUT of the tag', method: 'PUT', path: (it) => `/v2/${it}/out/manifests/v1` },
];
/** A fault, and how many requests in turn meet it. */
const faults: { name: string; mood: RegistryMood; times: number; onlyGet?: true; notUploads?: true }[] = [
  { name: 'is reset', mood: { kind: 'reset' }, times: 1 },
  { name: 'is cut', mood: { kind: 'cut', afterBytes: 10 }, times: 1, onlyGet: true },
  { name: 'stalls', mood: { kind: 'stall', afterBytes: 10 }, times: 1, onlyGet: true },
  { name: 'is longer than it says', mood: { kind: 'length', by: -7 }, times: 1, onlyGet: true },
  { name: 'is shorter than it says', mood: { kind: 'length', by: 7 }, times: 1, onlyGet: true },
  { name: 'gets no answer', mood: { kind: 'silent' }, times: 1, notUploads: true },
  { name: 'is answered 429', mood: { kind: 'status', status: 429, retryAfter: '1' }, times: 1 },
  { name: 'is answered 429 for a while', mood: { kind: 'status', status: 429, retryAfter: '1' }, times: 4 },
  { name: 'is answered 503', mood: { kind: 'status', status: 503 }, times: 4 },
  { name: 'is answered 401', mood: { kind: 'status', status: 401 }, times: 12 },
  { name: 'is answered 404', mood: { kind: 'status', status: 404 }, times: 12 },
  { name: 'is answered 409', mood: { kind: 'status', status: 409 }, times: 12 },
  { name: 'is answered 418', mood: { kind: 'status', status: 418 }, times: 12 },
];
/** Those after which every build has to succeed: a registry that was asked again was well. */
const passes = new Set(['is reset', 'gets no answer', 'is answered 429', 'is answered 429 for a while', 'is answered 503', 'is cut', 'stalls']); // prettier-ignore

/**
 * When the builder lost its leases. They are short here: a machine that stands still for some seconds loses them,
 * and with them the engine that runs its other builds, whatever the registry does.
 */
const standstills = (): number[] =>
  readFileSync(kiln.running('builder').logFile, 'utf8')
    .split('\n')
    .filter((it) => it.includes('"stopped":"lost"'))
    .map((it) => (JSON.parse(it) as { time: number }).time);

/** Attempts that ended in trouble of the builder's own, where there should have been none. */
const troublesOf = ({ Attempts }: { Attempts: { Outcome?: string; GmtFinishTime?: string }[] }) => {
  const still = standstills();
  const isExcused = (finish: number) => still.some((it) => Math.abs(it - finish) < 5000);
  return Attempts.filter((it) => it.Outcome === 'interrupted' && !isExcused(Date.parse(it.GmtFinishTime ?? '')));
};

it('faults of a registry end no process, and no build but their own', async () => {
  const dockerfile = (base: string) => `FROM ${base}\nRUN echo ${randomUUID()} > /id\n`;
  const cases = requests.flatMap((request) =>
    faults
      .filter((it) => !it.onlyGet || request.method === 'GET')
      // A registry that stores gigabytes is given minutes to answer.
      .filter((it) => !it.notUploads || !request.name.endsWith('of an upload'))
      .map((fault) => ({ request, fault })),
  );
  expect(cases.length).toBeGreaterThanOrEqual(100);
  const innocent: string[] = [];
  const submitted: { what: string; id: string; passes: boolean; came: () => number }[] = [];
  for (const [n, { request, fault }] of sampleOf(cases).entries()) {
    const name = `case-${run}-${n}`;
    const fits = (method: string, path: string) => method === request.method && path.startsWith(request.path(name));
    const came = front.next(fault.mood, fits, fault.times);
    const body = kiln.buildRequest(dockerfile(`${front.host}/${name}/base:base`), {
      image: { Uri: `${front.host}/${name}/out:v1` },
      top: { TargetRegistry: { Type: 'AcrEnterprise', InstanceId: `http-${front.host}` } },
    });
    const { ImageBuildId: id } = await kiln.submit(body);
    submitted.push({ what: `${request.name} ${fault.name}`, id, passes: passes.has(fault.name), came });
    if (n % 10 === 0) innocent.push((await kiln.submit(kiln.buildRequest(dockerfile(kiln.base)))).ImageBuildId);
  }
  await eventually(
    async () => {
      const { rows } = await kiln.database.db.$client.query<{ n: number }>(
        `SELECT count(*)::int AS n FROM builds WHERE finished_at IS NULL`,
      );
      return rows[0]?.n === 0 ? true : undefined;
    },
    'the end of all builds',
    600_000,
  );
  for (const id of innocent) {
    const build = await kiln.ended(id);
    expect({ State: build.State, troubles: troublesOf(build) }).toEqual({ State: 'succeeded', troubles: [] });
    expect(await kiln.logs(id)).not.toContain('; try ');
  }
  const wrong: object[] = [];
  for (const { what, id, passes: mustSucceed, came } of submitted) {
    const build = await kiln.ended(id);
    const { State, Attempts, Error: error } = build;
    const isWell = State === 'succeeded' && troublesOf(build).length === 0;
    const isTold = State === 'failed' && error.Class !== 'infra' && error.Message.includes(front.host);
    if (!(isWell || (isTold && !mustSucceed)) || came() === 0)
      wrong.push({ what, State, Attempts, error, came: came(), log: await kiln.logs(id) });
  }
  expect(wrong).toEqual([]);
  for (const app of ['builder', 'registrar'] as const) {
    const log = readFileSync(kiln.running(app).logFile, 'utf8');
    expect(log).not.toMatch(/uncaught|unhandled|Node\.js v\d+/i);
    expect(await Promise.race([kiln.running(app).ended, Promise.resolve('runs')])).toBe('runs');
  }
}, 900_000);
