import type { BuiltImage } from '@kiln/engine';
import {
  asFault,
  type Compression,
  errorClass,
  Fault,
  fieldFault,
  formatReference,
  type Limits,
  limitsOf,
  networkOf,
  type NetworkRules,
  type ParsedDockerfile,
  parseRequest,
  type Platform,
  requestFields,
} from '@kiln/domain';
import { crashPoint, inSpan, type Logger, metrics } from '@kiln/kit';
import {
  announceRegistration,
  type Build,
  type CacheDirectory,
  claimBuild,
  moveBuild,
  recordBases,
  type RetryPolicy,
} from '@kiln/persistence';
import type { SignalBus } from '@kiln/queue';
import {
  type Gateway,
  type GatewaySource,
  type LayerStore,
  openGateway,
  type RegistryAccess,
  type RegistryClients,
} from '@kiln/registry';
import { everyone, type QueuePayload } from '@kiln/contract';
import { accessForBuild, type BaseImages, hostPlatform, openBuildSecrets } from '@kiln/usecases';
import type { Relay } from '@kiln/worker';
import { type Attempt, type AttemptDeps, openAttempt } from './attempt.ts';
import type { HostSettings } from '../host-settings.ts';
import { fetchContext } from './fetch-context.ts';
import type { FetchDeps } from './fetch-deps.ts';
import { type Ended, finishFailedAttempt } from './finish-failed-attempt.ts';
import { contextsOf } from './build-files.ts';
import type { CacheExports } from './cache-exports.ts';
import { type CachePlace, cachePlaceOf, failedFor, findEarlierLayers } from './earlier-layers.ts';
import { compressionFor, pushImage } from './push-image.ts';
import { StaleAttempt } from './stale-attempt.ts';

export interface RunBuildDeps extends AttemptDeps, FetchDeps {
  signals: SignalBus;
  relay: Relay;
  /** Whose caches this builder keeps; undefined when it keeps none. */
  caches: CacheDirectory | undefined;
  registries: RegistryClients;
  bases: BaseImages;
  cacheExports: CacheExports;
  /** Layers of bases that are on this builder's disk; undefined where none are kept. */
  layers: LayerStore | undefined;
  log: Logger;
  worker: string;
  policy: RetryPolicy;
  /** Whose builds this builder takes. */
  pool: string;
  platform: Platform;
  host: HostSettings;
}

/**
 * The job, from the claim to the pushed manifest: prepare, build, push by digest, hand over to the registrar. Every
 * write names the fence; an attempt that lost its build throws away what it has.
 */
export async function runBuild(deps: RunBuildDeps, payload: QueuePayload<'image-build'>): Promise<void> {
  crashPoint('build-fetched');
  // Whom PostgreSQL does not see counts as dead: somebody else is told of the build in a moment.
  if (!deps.leases.isConnected()) return;
  const claimedAtMs = performance.now();
  const build = await claimBuild(deps.db, payload.buildId, payload.attempt, deps.worker, deps.pool);
  if (!build) return;
  crashPoint('build-claimed');
  const facts = { 'kiln.build.id': build.id, 'kiln.attempt': build.attempt };
  await inSpan('build attempt', facts, () => runAttempt(deps, build, claimedAtMs), {
    parent: build.trace,
    after: (ended) => ({ 'kiln.result': ended }),
  });
}

async function runAttempt(deps: RunBuildDeps, build: Build, claimedAtMs: number): Promise<Ended> {
  deps.log.info({ buildId: build.id, attempt: build.attempt }, 'build taken');
  const attempt = openAttempt(deps, build, claimedAtMs);
  let made: Made | undefined;
  let ended: Ended = 'handed over';
  try {
    const access = await accessForBuild(deps.db, deps.sealer, build);
    const compression = compressionFor(access);
    const place = deps.host.layerCache ? cachePlaceOf(access, build) : undefined;
    attempt.redaction.add([access.target, ...access.bases]);
    const parsed = await attempt.run('prepare', 'build', () => prepare(deps, attempt, access.target));
    await attempt.move('assigned', 'running', 'building');
    try {
      const { image, gateway } = await attempt.run('build', 'push', async () => {
        // At once: what comes after it may fail, and the image has to be let go all the same.
        made = await makeImage(deps, attempt, parsed, access.bases, { compression, place });
        return made;
      });
      crashPoint('image-built');
      await attempt.move('running', 'publishing', 'pushing');
      // Built once: when a registry is away, only the push is done again.
      const digest = await attempt.run('push', 'verify', () => pushImage(deps, attempt, image, gateway));
      crashPoint('image-pushed');
      await attempt.log.write(`pushed ${build.host}/${build.repository}@${digest}`);
      // Before the hand-over: afterwards the fence is the registrar's, and the log would be refused.
      await attempt.log.flush();
      await handOver(deps, build, digest);
      crashPoint('handed-over');
      rememberCache(deps, build);
      if (place && made && isNews(deps, attempt, made, place) && deps.cacheExports.take(build, place.tag, made))
        made = undefined;
    } finally {
      await attempt.log.flush();
    }
  } catch (error) {
    ended = await finishFailedAttempt(deps, attempt, error);
    // Who has made a mistake tries again, and its first steps are here. A builder in trouble is not to be looked for.
    if (errorClass(asFault(error).code) === 'user') rememberCache(deps, build);
  } finally {
    await made?.image.discard();
    attempt.close();
    deps.signals.send('progress', build.id);
    deps.signals.send('dispatch', everyone);
  }
  return ended;
}

/** Not waited for: without it the next build with the same beginning may go elsewhere, and nothing else is lost. */
const rememberCache = ({ caches, log }: RunBuildDeps, build: Build): void =>
  void caches?.add(build).catch((error: unknown) => log.debug({ err: error }, 'cache not written down'));

/** An image whose steps have run, and what its engine sees of registries. */
interface Made {
  image: BuiltImage;
  gateway: Gateway;
  /** Whether the registry keeps layers of earlier builds, which those of this one would not change. */
  areKept: boolean;
}

/** Whether a registry lacks layers of a build. */
const isNews = ({ cacheExports }: RunBuildDeps, { steps }: Attempt, { areKept }: Made, { tag }: CachePlace): boolean =>
  !areKept || steps.ranAny() || cacheExports.owes(tag);

/**
 * Refuses at once what would be refused after a long build.
 * @returns the Dockerfile, parsed
 */
async function prepare(deps: RunBuildDeps, attempt: Attempt, target: RegistryAccess): Promise<ParsedDockerfile> {
  const { build } = attempt;
  await fetchContext(deps, attempt, networkHere(deps, attempt));
  const parsed = parseRequest(build.request, { builder: hostPlatform });
  if (build.overwrite) return parsed;
  const existing = await deps.registries.for(target).headManifest(build.repository, build.tag);
  if (!existing) return parsed;
  throw fieldFault(
    'TagExists',
    requestFields.reference,
    `${formatReference(build)} exists already (${existing}) and ${requestFields.overwrite} is false`,
  );
}

async function makeImage(
  deps: RunBuildDeps,
  attempt: Attempt,
  parsed: ParsedDockerfile,
  access: RegistryAccess[],
  { compression, place }: { compression: Compression; place: CachePlace | undefined },
): Promise<Made> {
  const { build, log, steps, onBytes, signal, watch } = attempt;
  const { host } = deps;
  for (const it of build.notes) await log.write(`kiln: note: ${it}`);
  // Before anything is fetched: whether this builder can give what was asked for.
  const limits = await limitsHere(deps, attempt);
  const network = networkHere(deps, attempt);
  const files = await contextsOf(deps.contexts, build, log, signal);
  const bases = await deps.bases.find(parsed, access);
  await recordBases(deps.db, build, bases);
  for (const it of bases) await log.write(`kiln: ${it.name} is ${it.id}`);
  for (const it of parsed.warnings) await log.write(`kiln: warning: ${it}`);
  const secrets = await openBuildSecrets(deps.db, deps.sealer, build.accountId, parsed.secrets);
  attempt.redaction.hide(secrets.map((it) => it.value));
  for (const [name, { line }] of parsed.secrets)
    if (!secrets.some((it) => it.id === name))
      await log.write(`kiln: warning: line ${line}: the account has no build secret ${name}; steps run without it`);
  const earlier = await findEarlierLayers(deps.registries, attempt, place);
  const make = async (cache: GatewaySource | undefined): Promise<Made> => {
    const gateway = openGateway(deps.registries, {
      sources: cache ? [...bases, cache] : bases,
      layers: deps.layers,
      signal,
      onBytes,
      onBaseLayer: (from, bytes) => metrics.baseBytes.inc({ from }, bytes),
    });
    try {
      const image = await deps.engine.build({
        id: attempt.name.toLowerCase(),
        owner: build.accountId,
        dockerfile: build.request.dockerfile,
        parsed,
        bases,
        context: files.context,
        namedContexts: files.named,
        platform: build.request.platform,
        ...(build.request.arguments ? { buildArgs: build.request.arguments } : {}),
        ...(build.request.imageLabels ? { labels: build.request.imageLabels } : {}),
        ...(build.request.stage === undefined ? {} : { target: build.request.stage }),
        limits,
        network,
        secrets,
        layerCache: host.layerCache && build.request.noCache !== true,
        cacheFrom: cache?.manifest.digest,
        compression,
        registry: gateway,
        signal,
        watch,
        onStep: (step) => steps.take(step, log.nextLine()),
        onLine(line, partial, step) {
          crashPoint('step-running');
          return log.write(line, partial, step);
        },
      });
      return { image, gateway, areKept: earlier.areKept };
    } catch (error) {
      if (signal.aborted) throw error;
      if (cache && failedFor(cache, error, gateway.fault)) {
        await log.write(`kiln: building without layers of earlier builds: ${asFault(gateway.fault ?? error).message}`);
        return make(undefined);
      }
      // The engine knows only that its registry did not do what it wanted.
      throw gateway.fault ?? error;
    }
  };
  return make(earlier.source);
}

/** The api took it: that it is not known here is this builder's trouble, and another one may know it. */
function offered<T>(look: () => T): T {
  try {
    return look();
  } catch (error) {
    throw new Fault(
      'EngineFailed',
      `this builder does not offer what the api took: ${asFault(error).message}`,
      {},
      error,
    );
  }
}

/** What the build's class gives it, as far as this machine has it. */
async function limitsHere({ host, platform }: RunBuildDeps, { build, log }: Attempt): Promise<Limits> {
  const { limits } = offered(() => limitsOf(platform, build.request.resources));
  if (limits.memoryBytes <= host.memoryBytesMax) return limits;
  const has = Math.floor(host.memoryBytesMax / 2 ** 20);
  await log.write(`kiln: this builder gives a build at most ${has} MiB of memory, less than its class says`);
  return { ...limits, memoryBytes: host.memoryBytesMax };
}

function networkHere({ host, platform }: RunBuildDeps, { build }: Attempt): NetworkRules {
  const { network } = offered(() => networkOf(platform.networks, build.request.network));
  // By another way than the one that was asked for, it would go around what stands there.
  if (network.way > host.ways)
    throw new Fault('EngineFailed', `this builder has no way out number ${network.way} (KILN_BUILD_WAYS)`);
  return { ...network, deny: [...network.deny, ...host.own], resolvers: host.resolvers };
}

async function handOver({ db, relay, signals }: RunBuildDeps, build: Build, digest: string): Promise<void> {
  const moved = await moveBuild(db, {
    id: build.id,
    fence: build.fence,
    from: ['publishing'],
    to: 'registering',
    unlessCancelled: true,
    message: `pushed ${digest}`,
    set: { digest },
    announcement: announceRegistration('build', build.id, build.attempt),
  });
  if (!moved) throw new StaleAttempt();
  relay.wake();
  // The slot is as good as free.
  signals.send('dispatch', everyone);
}
