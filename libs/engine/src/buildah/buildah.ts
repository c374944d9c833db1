import { randomUUID } from 'node:crypto';
import { cp, copyFile, mkdir, rm, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Fault, type Limits } from '@kiln/domain';
import { type BuildRequest, type BuiltImage, type Engine, type EngineCall, stagingTag } from '../engine.ts';
import { gatewayHost, type Jail, type JailRequest } from '../jail/jail.ts';
import { diagnoseBuild, isFull, lastWords, plain } from './diagnosis.ts';
import { Progress } from './progress.ts';
import { openStores } from './stores.ts';

export interface BuildahOptions {
  /** Folder of the image store; one builder process at a time uses it. */
  storeDir: string;
  jail: Jail;
  /** What the layers of earlier builds may take of the disk in all; 0 keeps none. */
  layerCacheBytes: number;
  /** Most bytes of a base image, unpacked. */
  baseBytesMax: number;
}

/**
 * The Dockerfile with what its stages start from written out: the engine looks for images that are given to it under a
 * name before it fills in variables. Lines keep their numbers.
 */
function withLiteralBases({ dockerfile, parsed }: BuildRequest): string {
  const lines = dockerfile.split('\n');
  for (const {
    from,
    text,
    lines: [first, last],
  } of parsed.steps) {
    if (from === undefined || !text.includes('$')) continue;
    const [image = ''] = text.split(/\s+/).filter((it) => !it.startsWith('--'));
    lines.fill('#', first - 1, last);
    lines[first - 1] = `FROM ${text.replace(image, () => from)}`;
  }
  return lines.join('\n');
}

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });

const digestOf = (id: string): string => id.slice(id.indexOf('@') + 1);

const launcherDir = join(import.meta.dirname, '../../launcher');
// The engine itself runs some forty threads.
const enginePids = 64;

/** Ids of the images that a build needs; the one that its last stage starts from comes first. */
function basesInOrder({ bases, parsed }: BuildRequest): string[] {
  const starts = parsed.steps.map((it) => it.from);
  const last = starts.findLast((from) => bases.some((it) => it.name === from));
  const first = bases.filter((it) => it.name === last);
  return [...new Set([...first, ...bases].map((it) => it.id))];
}

/** The engine on Debian's buildah and runc; each of its commands runs in a jail of its own. */
export function openBuildah({ storeDir, jail, layerCacheBytes, baseBytesMax }: BuildahOptions): Engine {
  const { inside } = jail;
  const stores = openStores(storeDir, jail, layerCacheBytes);
  const fetching = new Map<string, Promise<void>>();
  const localName = (id: string) => `localhost/kiln/${id}`;
  const policy = ['--signature-policy', `${inside.request}/policy.json`];
  const storeOptions = (bases: number): string[] => [
    '--root', `${inside.store}/root`, '--runroot', inside.runroot, '--storage-driver', 'overlay',
    ...Array.from({ length: bases }, (_, n) => ['--storage-opt', `additionalimagestore=${inside.base(n)}/root`]).flat(),
  ]; // prettier-ignore
  /** For commands that handle what a tenant made, and run nothing of it. */
  const handling = (diskBytes: number): Limits => ({
    memoryBytes: 2 ** 30,
    cpuMillis: 2000,
    pids: 256,
    diskBytes,
    seconds: 3600,
  });

  const prepare = async (call: EngineCall, what: string): Promise<string> => {
    const dir = join(call.workDir, what);
    await rm(dir, { recursive: true, force: true });
    await mkdir(join(dir, 'request', 'context'), { recursive: true });
    for (const it of ['policy.json', 'seccomp.json']) await copyFile(join(launcherDir, it), join(dir, 'request', it));
    return dir;
  };
  /** Runs a command that talks to a gateway, and gives its last lines. */
  const runQuiet = async (call: EngineCall, request: Omit<JailRequest, 'onLine' | 'signal' | 'watch'>) => {
    const tail: string[] = [];
    const report = await jail.run({
      ...request,
      signal: call.signal,
      watch: call.watch,
      async onLine(line, partial) {
        tail.push(line);
        if (tail.length > 20) tail.shift();
        await call.onLine(line, partial);
      },
    });
    return { report, tail };
  };

  const fetchBase = async (id: string, call: EngineCall & { gateway: string }): Promise<void> => {
    const dir = await prepare(call, 'fetch');
    const fetched = join(storeDir, 'bases', `fetching-${randomUUID()}`);
    await mkdir(join(storeDir, 'bases'), { recursive: true });
    try {
      const { report, tail } = await runQuiet(call, {
        id: `fetch-${randomUUID().slice(0, 13)}`,
        dir,
        command: [
          ...storeOptions(0),
          'pull',
          ...policy,
          '--tls-verify=false',
          `docker://${gatewayHost}/base@${digestOf(id)}`,
        ],
        volume: fetched,
        bases: [],
        limits: handling(baseBytesMax),
        network: 'none',
        gateway: call.gateway,
      });
      const image = tail.findLast((it) => /^[0-9a-f]{64}$/.test(it));
      if (report.exitCode === 0 && image) return await stores.addBase(id, fetched, image);
      if (isFull(report))
        throw new Fault('BaseImageTooLarge', `base image ${id} takes more than ${baseBytesMax} bytes unpacked`);
      throw new Fault('EngineFailed', `base image ${id} could not be unpacked: ${plain(lastWords(tail))}`, {
        logTail: tail,
      });
    } finally {
      await jail.removeVolume(fetched);
      await rm(dir, { recursive: true, force: true });
    }
  };

  return {
    name: 'buildah',
    check: async () => ({ ...(await jail.check()), jail: jail.name }),
    hasBase: async (id) => (await stores.baseImage(id)) !== undefined,
    async fetchBase(id, call) {
      // Builds that start from the same image at the same time fetch it once.
      for (let running = fetching.get(id); running; running = fetching.get(id)) {
        await Promise.race([running.catch(() => undefined), aborted(call.signal)]);
        call.signal.throwIfAborted();
        if (await stores.baseImage(id)) return;
      }
      const mine = fetchBase(id, call).finally(() => fetching.delete(id));
      fetching.set(id, mine);
      await mine;
    },
    async build(request: BuildRequest): Promise<BuiltImage> {
      const { id, limits } = request;
      const progress = new Progress(request.parsed, request.onStep);
      const dir = await prepare(request, 'build');
      await writeFile(join(dir, 'request', 'Dockerfile'), withLiteralBases(request));
      if (request.contextDir)
        // Links stay as they are: made absolute, they would lead nowhere in the image.
        await cp(request.contextDir, join(dir, 'request', 'context'), { recursive: true, verbatimSymlinks: true });
      const bases = basesInOrder(request);
      const images = new Map<string, string>();
      for (const it of bases) images.set(it, (await stores.baseImage(it)) ?? '');
      const secrets = request.secrets ?? [];
      const cached = request.layerCache && layerCacheBytes > 0;
      const command = [
        ...storeOptions(bases.length), 'bud', ...policy, '--pull-never',
        '--isolation', 'rootless', '--runtime', 'runc', '--network', 'host', `--layers=${cached}`, '--jobs', '1', '--format', 'oci',
        '--security-opt', `seccomp=${inside.request}/seccomp.json`,
        // By its id: what a tag points to may change between the look and the build.
        ...request.bases.flatMap((it) => ['--build-context', `${it.name}=docker-image://${images.get(it.id)}`]),
        ...secrets.flatMap((it) => ['--secret', `id=${it.id},src=/run/secrets/${it.id}`]),
        ...(!request.target ? [] : ['--target', request.target]),
        ...Object.entries(request.buildArgs ?? {}).flatMap(([name, value]) => ['--build-arg', `${name}=${value}`]),
        '--tag', localName(id), '--file', `${inside.request}/Dockerfile`, `${inside.request}/context`,
      ]; // prettier-ignore
      const { volume, spareBytes } = await stores.take(id, bases, cached ? request.owner : undefined);
      // One that was killed half-way may hold half of a layer.
      let whole = false;
      let succeeded = false;
      try {
        const report = await jail.run({
          id,
          dir,
          command,
          volume,
          spareBytes,
          bases: bases.map((it) => stores.base(it)),
          limits: { ...limits, pids: limits.pids + enginePids },
          network: request.network,
          secrets,
          signal: request.signal,
          watch: request.watch,
          async onLine(line, partial) {
            const shown = progress.take(line, partial);
            if (shown !== undefined) await request.onLine(shown, partial);
          },
        });
        // Without a first step, it may be the volume itself that will not do.
        whole = !report.timedOut && report.oomKills === 0 && !isFull(report) && progress.step !== undefined;
        for (const it of report.refused)
          await request.onLine(
            `kiln: refused: ${it.address} port ${it.port}/${it.protocol}, which this build may not reach`,
            false,
          );
        if (report.exitCode !== 0) {
          const { bavail, bsize } = await statfs(storeDir);
          const fault = diagnoseBuild(progress, report, limits, bavail * bsize < 16 << 20);
          progress.end('failed', fault.details.exitCode);
          throw fault;
        }
        progress.end('ok');
        succeeded = true;
        return { id };
      } catch (error) {
        if (request.signal.aborted) progress.end('stopped');
        throw error;
      } finally {
        if (!succeeded) await stores.drop(id, !whole);
        await rm(dir, { recursive: true, force: true });
      }
    },
    async push(image, call) {
      const place = await stores.find(image.id);
      if (!place) throw new Fault('PushFailed', `the image of ${image.id} is not here any more`);
      const dir = await prepare(call, 'push');
      const [first] = place.bases;
      try {
        const { report, tail } = await runQuiet(call, {
          id: `push-${randomUUID().slice(0, 13)}`,
          dir,
          command: [
            ...storeOptions(place.bases.length), 'push', ...policy, '--tls-verify=false',
            localName(image.id), `docker://${gatewayHost}/image:${stagingTag}`,
          ], // prettier-ignore
          volume: place.volume,
          bases: place.bases.map((it) => stores.base(it)),
          limits: handling(2 ** 30),
          network: 'none',
          gateway: call.gateway,
          // What was learnt of this base's layers when it was fetched, and of those above it since.
          ...(first === undefined ? {} : { data: digestOf(first).slice('sha256:'.length, 31) }),
        });
        if (report.exitCode !== 0) throw new Fault('PushFailed', `push: ${plain(lastWords(tail))}`, { logTail: tail });
      } finally {
        await rm(dir, { recursive: true, force: true });
      }
    },
    has: async (image) => (await stores.find(image.id)) !== undefined,
    keep: (image) => stores.release(image.id),
    discard: (image) => stores.drop(image.id, false),
    async reap(keep = []) {
      await jail.clean();
      await stores.reap(keep);
    },
  };
}
