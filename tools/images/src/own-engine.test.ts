import { execFileSync, spawn } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync } from 'node:fs';
import { getServers } from 'node:dns';
import { join } from 'node:path';
import { openFolderStore, readArchive } from '@kiln/contexts';
import { openBuildkit, readEngineRoot } from '@kiln/engine';
import { parseDockerfile } from '@kiln/domain';
import { testsAll, testStack } from '@kiln/kit/testing';
import { openAddressRules, openGateway, openRegistryClients } from '@kiln/registry';
import { openBaseImages } from '@kiln/usecases';
import { debianTar, pushFiles, root, runQuietly } from '@kiln/stack';
import { checkStage } from './check-stage.ts';

const stack = testStack();
const dir = join(stack.dir, 'container-images');
const base = `${stack.registryHost}/kiln/node:base`;
const engineImage = `${stack.registryHost}/kiln/engine:base`;
const registries = openRegistryClients(openAddressRules(['127.0.0.0/8']));
afterAll(() => registries.close());
const registry = { host: stack.registryHost, tlsMode: 'http' as const };

/** A Debian with this machine's Node, since no public registry can be counted on. */
async function ensureNodeBase(): Promise<void> {
  const folder = join(dir, 'node-rootfs');
  mkdirSync(folder, { recursive: true });
  await runQuietly(['tar', '-C', folder, '-xf', await debianTar()]);
  const prefix = join(process.execPath, '../..');
  const target = join(folder, 'usr/local');
  await runQuietly([
    'sh',
    '-c',
    `mkdir -p ${target}/bin ${target}/lib/node_modules && cp ${process.execPath} ${target}/bin/node && cp -r ${prefix}/lib/node_modules/npm ${target}/lib/node_modules/ && ln -sf ../lib/node_modules/npm/bin/npm-cli.js ${target}/bin/npm`,
  ]);
  const env = ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'];
  // Where a proxy inspects TLS, the base has to know its CA, as this machine does.
  const ca = process.env['NODE_EXTRA_CA_CERTS'];
  if (ca) {
    cpSync(ca, join(folder, 'etc/extra-ca.crt'), { dereference: true });
    env.push('NODE_EXTRA_CA_CERTS=/etc/extra-ca.crt');
  }
  await pushFiles(dir, folder, base, { Env: env });
}

/** The files of the checkout, without what .dockerignore leaves out. */
async function copyCheckout(to: string): Promise<void> {
  mkdirSync(to, { recursive: true });
  await runQuietly([
    'sh',
    '-c',
    `git -C ${root} ls-files -z --cached --others --exclude-standard | tar -C ${root} --null -T - -cf - | tar -C ${to} -xf -`,
  ]);
}

// Minutes on two cores.
const long = testsAll ? it : it.skip;
const packed = join(dir, 'packed');

long.each(['packed', 'build'] as const)(
  'builds the images of docker-compose.yml (%s) with Kiln’s own engine, from a local base, and they start',
  async (compiled) => {
    await ensureNodeBase();
    await pushFiles(dir, stack.engineRoot, engineImage);
    const contextDir = compiled === 'packed' ? packed : join(dir, 'checkout');
    if (compiled === 'packed') await runQuietly([process.execPath, join(root, 'tools/bootstrap/pack.mjs'), packed]);
    else await copyCheckout(contextDir);
    const contexts = await openFolderStore(join(dir, 'contexts'));
    const tar = spawn('tar', ['-C', contextDir, '-c', '.'], { stdio: ['ignore', 'pipe', 'inherit'] });
    const entries = await readArchive(tar.stdout, contexts, '1', { entries: 1e6, bytes: 8 * 2 ** 30 });
    const engine = openBuildkit({
      storeDir: join(dir, 'store'),
      engine: readEngineRoot(stack.engineRoot),
      runtime: 'runc',
      ways: [],
      warmMax: 0,
      idleMs: 0,
      warmBytesMax: 0,
      limits: { memoryBytes: 4 * 2 ** 30, pids: 4096 },
      cacheBytes: 0,
      workBytes: 8 * 2 ** 30,
      storeBytes: 0,
    });
    await engine.check();
    const dockerfile = readFileSync(join(root, 'deploy/Dockerfile'), 'utf8')
      .replace(/^ARG BASE_IMAGE=.*$/m, `ARG BASE_IMAGE=${base}`)
      .replace(/^ARG COMPILED=.*$/m, `ARG COMPILED=${compiled}`)
      .replace(/^ARG BUILDKIT_IMAGE=.*$/m, `ARG BUILDKIT_IMAGE=${engineImage}`)
      .concat(checkStage);
    const npmRegistry = execFileSync('npm', ['config', 'get', 'registry'], { encoding: 'utf8', cwd: '/' }).trim();
    const lines: string[] = [];
    const parsed = parseDockerfile(dockerfile, { hasContext: true });
    const bases = await openBaseImages(registries).find(parsed, [registry]);
    const { signal } = new AbortController();
    const gateway = openGateway(registries, { sources: bases, signal });
    const image = await engine
      .build({
        id: `compose-${compiled}`,
        owner: 'kiln',
        dockerfile,
        parsed,
        bases,
        context: { entries, read: (sha256) => contexts.read('1', sha256) },
        limits: { memoryBytes: 4 * 2 ** 30, cpuMillis: 2000, pids: 1024, diskBytes: 8 * 2 ** 30, seconds: 900 },
        // The mirrors of this machine may be anywhere.
        network: { resolvers: getServers(), allow: ['0.0.0.0/0'], deny: [], only: [], connections: 1024, way: 0 },
        layerCache: false,
        compression: { type: 'gzip' },
        registry: gateway,
        onLine: (line: string) => Promise.resolve(void lines.push(line)),
        signal,
        target: 'check',
        buildArgs: { NPM_CONFIG_REGISTRY: npmRegistry },
      })
      .catch((error: unknown) => {
        throw new Error(lines.slice(-40).join('\n'), { cause: error });
      });
    gateway.writeTo({ access: registry, repository: 'kiln/builder-image' });
    expect(await image.push()).toMatch(/^sha256:/);
    await image.discard();
    await engine.close();
  },
  600_000,
);
