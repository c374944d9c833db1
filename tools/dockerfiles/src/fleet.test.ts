import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { IncomingMessage } from 'node:http';
import { get } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseDockerfile } from '@kiln/domain';
import { type DaemonAddress, type Engine, openFleet } from '@kiln/engine';
import { engineContract, testLimits } from '@kiln/engine/testing';
import { eventually, testStack } from '@kiln/kit/testing';
import { openAddressRules, openGateway, openRegistryClients } from '@kiln/registry';
import { ensureClientsRoot } from '@kiln/stack';
import {
  type DockerDaemon,
  type GitServers,
  openTestKiln,
  startDockerDaemon,
  startGitServers,
  type TestKiln,
} from '@kiln/stack/testing';
import { openBaseImages } from '@kiln/usecases';

const stack = testStack();
const dir = join(stack.dir, `fleet-${randomUUID().slice(0, 8)}`);
const bridge = `kf${randomUUID().slice(0, 6)}`;
const run = (...command: string[]) => execFileSync(command[0] ?? '', command.slice(1), { stdio: 'pipe', cwd: dir });
const freePort = () =>
  new Promise<number>((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });

/** An authority, and what it has signed, in PEM. */
function certificates() {
  const key = (name: string) => [
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-keyout',
    `${name}.key`,
  ];
  run('openssl', 'req', '-x509', ...key('ca'), '-subj', '/CN=fleet', '-days', '1', '-out', 'ca.pem');
  writeFileSync(join(dir, 'names'), 'subjectAltName=IP:127.0.0.1');
  for (const name of ['server', 'client', 'stranger']) {
    run('openssl', 'req', ...key(name), '-subj', `/CN=${name}`, '-out', `${name}.csr`);
    const signer =
      name === 'stranger' ? ['-signkey', 'stranger.key'] : ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial'];
    run(
      'openssl',
      'x509',
      '-req',
      '-in',
      `${name}.csr`,
      ...signer,
      '-days',
      '1',
      '-extfile',
      'names',
      '-out',
      `${name}.pem`,
    );
  }
  const text = (file: string) => readFileSync(join(dir, file), 'utf8');
  const of = (name: string) => ({ ca: text('ca.pem'), cert: text(`${name}.pem`), key: text(`${name}.key`) });
  return { client: of('client'), stranger: of('stranger') };
}

const port = await freePort();
mkdirSync(dir, { recursive: true });
const { client, stranger } = certificates();
const address = (tls = client, at = port): DaemonAddress => ({
  daemon: 'dockerd',
  at: { host: '127.0.0.1', port: at },
  tls,
});
let daemon: DockerDaemon;
beforeAll(async () => {
  run('ip', 'link', 'add', bridge, 'type', 'bridge');
  run('ip', 'addr', 'add', '10.214.7.1/24', 'dev', bridge);
  const file = (name: string) => join(dir, name);
  daemon = await startDockerDaemon(await ensureClientsRoot(), dir, {
    hosts: [`unix://${file('docker.sock')}`, `tcp://127.0.0.1:${port}`],
    tlsverify: true,
    tlscacert: file('ca.pem'),
    tlscert: file('server.pem'),
    tlskey: file('server.key'),
    bridge,
    iptables: false,
    ip6tables: false,
    features: { 'containerd-snapshotter': true },
  });
});
const registries = openRegistryClients(openAddressRules(['127.0.0.0/8']));
const access = { host: stack.registryHost, tlsMode: 'http' as const };
afterAll(async () => {
  await daemon.stop();
  await registries.close();
  run('ip', 'link', 'del', bridge);
  rmSync(dir, { recursive: true, force: true });
});

const openGatewayOf = async (dockerfile: string, signal: AbortSignal) => {
  const bases = await openBaseImages(registries).find(parseDockerfile(dockerfile), [access]);
  const opened = openGateway(registries, { sources: bases, signal });
  return { bases, gateway: { ...opened, writeTo: (repository: string) => opened.writeTo({ access, repository }) } };
};
// Docker's daemon speaks to registries on loopback without TLS.
const gatewayPorts = await Promise.all(Array.from({ length: 30 }, freePort));
const fleet = (daemons: DaemonAddress[], silentMs = 5000): Engine =>
  openFleet({
    daemons,
    gateway: new URL(`http://127.0.0.1:${gatewayPorts.pop()}`),
    dir: join(dir, 'builder'),
    silentMs,
  });

engineContract('a BuildKit elsewhere', () => fleet([address()]), openGatewayOf, { isElsewhere: true });

describe('BuildKits elsewhere', () => {
  const base = `${stack.registryHost}/kiln/busybox:base`;
  const build = async (
    engine: Engine,
    dockerfile: string,
    given: { owner?: string; signal?: AbortSignal; onLine?: (line: string) => void } = {},
  ) => {
    const { signal = new AbortController().signal } = given;
    const { bases, gateway: registry } = await openGatewayOf(dockerfile, signal);
    const image = await engine.build({
      id: `t-${randomUUID().slice(0, 8)}`,
      owner: given.owner ?? 'somebody',
      dockerfile,
      parsed: parseDockerfile(dockerfile),
      bases,
      limits: testLimits,
      network: 'none',
      layerCache: true,
      compression: { type: 'gzip' },
      registry,
      signal,
      onLine: (line) => Promise.resolve(given.onLine?.(line)),
    });
    await image.discard();
  };

  it('are passed over when they do not answer, and named when none does', async () => {
    const dead = address(client, await freePort());
    const engine = fleet([dead, address()]);
    for (const owner of ['a', 'b', 'c', 'd']) await build(engine, `FROM ${base}\nRUN echo 1\n`, { owner });
    const none = fleet([dead]);
    await expect(none.check()).rejects.toThrow(/127\.0\.0\.1:\d+.*ECONNREFUSED/);
    await engine.close();
    await none.close();
  });

  it('are passed over when they say nothing, and a build that is stopped meanwhile does not wait for them', async () => {
    const silent = createServer((socket) => void socket.on('error', () => undefined).resume());
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const mute = address(client, (silent.address() as { port: number }).port);
    const engine = fleet([mute, address()], 500);
    for (const owner of ['a', 'b', 'c', 'd']) await build(engine, `FROM ${base}\nRUN echo 1\n`, { owner });
    const patient = fleet([mute], 60_000);
    const stopping = new AbortController();
    const waiting = build(patient, `FROM ${base}\nRUN echo 1\n`, { signal: stopping.signal });
    setTimeout(() => stopping.abort(new Error('asked to stop')), 300);
    await expect(waiting).rejects.toThrow('asked to stop');
    for (const it of [engine, patient]) await it.close();
    await new Promise((resolve) => silent.close(resolve));
  });

  it('take no builder whose certificate their authority did not sign, and are not taken for others', async () => {
    const asStranger = fleet([address(stranger)]);
    await expect(asStranger.check()).rejects.toThrow(/bad certificate|unknown ca|socket hang up|certificate/i);
    await asStranger.close();
    const mistrusting = fleet([address({ ...client, ca: stranger.cert })]);
    await expect(mistrusting.check()).rejects.toThrow(/certificate/);
    await mistrusting.close();
  });

  it('enforce nothing but the time, and say so', async () => {
    const engine = fleet([address()]);
    expect(await engine.check()).toMatchObject({ enforces: ['time'] });
    const dockerfile = `FROM ${base}\nRUN echo ${randomUUID()}; sleep 60\n`;
    const { signal } = new AbortController();
    const { bases, gateway: registry } = await openGatewayOf(dockerfile, signal);
    const slow = engine.build({
      id: `t-${randomUUID().slice(0, 8)}`, owner: 'somebody', dockerfile, parsed: parseDockerfile(dockerfile), bases,
      limits: { ...testLimits, seconds: 2 }, network: 'none', layerCache: true, compression: { type: 'gzip' }, registry,
      signal, onLine: () => Promise.resolve(),
    }); // prettier-ignore
    await expect(slow).rejects.toMatchObject({ code: 'RunTimeout' });
    await engine.close();
  });

  it('cost a build its attempt when they stop to answer, by their own fault', async () => {
    const engine = fleet([address()], 1500);
    const lines: string[] = [];
    const building = build(engine, `FROM ${base}\nRUN echo begun-${randomUUID()}; sleep 30\n`, {
      onLine: (it) => void lines.push(it),
    });
    building.catch(() => undefined);
    await eventually(() => lines.some((it) => it.startsWith('begun-')) || undefined, 'the step');
    process.kill(daemon.pid, 'SIGSTOP');
    await expect(building).rejects.toMatchObject({ code: 'EngineFailed' });
    process.kill(daemon.pid, 'SIGCONT');
    await engine.close();
  });
});

describe('a Kiln whose builder uses BuildKits elsewhere', () => {
  let kiln: TestKiln;
  let git: GitServers;
  const gitDir = mkdtempSync(join(tmpdir(), 'kiln-git-'));
  const settings = () => ({
    KILN_BUILDKIT_ADDRESS: `docker://127.0.0.1:${port}`,
    KILN_BUILDKIT_CA: client.ca,
    KILN_BUILDKIT_CERT: client.cert,
    KILN_BUILDKIT_KEY: client.key,
    KILN_BUILDKIT_GATEWAY: `https://127.0.0.1:${gatewayPorts.pop()}`,
  });
  beforeAll(async () => {
    git = await startGitServers(gitDir);
    kiln = await openTestKiln({ apps: ['registrar'] });
    await kiln.admin(['source', 'put', kiln.account.accountId, git.httpHost, '--tls', 'http']);
  });
  afterAll(async () => {
    await git.close();
    await kiln.stop();
    rmSync(gitDir, { recursive: true });
  });

  it('has to be told that its tenants are trusted, and which address the BuildKits reach it at', async () => {
    const refused = async (env: Record<string, string>, why: string) => {
      const builder = kiln.start('builder', env);
      await builder.logged(why);
      expect(await builder.ended).toBe(1);
    };
    await refused(settings(), 'with KILN_BUILDER_TENANTS=trusted');
    await refused({ ...settings(), KILN_BUILDKIT_GATEWAY: '' }, 'needs KILN_BUILDKIT_GATEWAY');
    await refused({ ...settings(), KILN_BUILDKIT_KEY: '' }, 'belong together');
    await refused(
      { KILN_BUILDKIT_ADDRESS: 'tcp://10.0.0.1:1234', KILN_BUILDKIT_GATEWAY: 'http://10.0.0.2:1' },
      'is spoken to with TLS',
    );
  });

  it('builds files of a git repository there through a gateway that speaks TLS, and registers the image', async () => {
    const given = settings();
    kiln.start('builder', { ...given, KILN_BUILDER_TENANTS: 'trusted' });
    git.commit('team/fleet.git', { 'words.txt': 'from the repository' });
    const dockerfile = `FROM ${kiln.base}\nCOPY words.txt /\nRUN cat /words.txt\n`;
    const Context = { Type: 'Git', Url: `https://${git.httpHost}/team/fleet.git` };
    const { ImageBuildId } = await kiln.submit(kiln.buildRequest(dockerfile, { config: { Context } }));
    expect(await kiln.ended(ImageBuildId)).toMatchObject({ State: 'succeeded' });
    expect(await kiln.logs(ImageBuildId)).toContain('from the repository');
    const asked = await new Promise<IncomingMessage>((resolve, reject) =>
      get(`${given.KILN_BUILDKIT_GATEWAY}/v2/`, { ca: client.ca }, resolve).on('error', reject),
    );
    expect(asked.statusCode).toBe(401);
  });
});
