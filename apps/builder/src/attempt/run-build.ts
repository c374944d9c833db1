import { mkdir } from 'node:fs/promises';
import { type Sealer } from '@kiln/auth';
import { type BuiltImage, type Engine, stagingTag } from '@kiln/engine';
import {
  asFault,
  Fault,
  fieldFault,
  formatReference,
  type Limits,
  limitsOf,
  networkOf,
  type NetworkRules,
  type ParsedDockerfile,
  parseDockerfile,
  type Platform,
  requestFields,
} from '@kiln/domain';
import { crashPoint, inSpan, type Logger } from '@kiln/kit';
import { announceRegistration, type Build, claimBuild, moveBuild, type RetryPolicy } from '@kiln/persistence';
import { type SignalBus } from '@kiln/queue';
import { type GatewaySource, type RegistryAccess, type RegistryClients, withGateway } from '@kiln/registry';
import { everyone, type QueuePayload } from '@kiln/contract';
import { accessForBuild, type BaseImages, fetchBases, openBuildSecrets, sourcesOf } from '@kiln/usecases';
import { type Relay } from '@kiln/worker';
import { type Attempt, type AttemptDeps, openAttempt } from './attempt.ts';
import { type HostSettings } from '../host-settings.ts';
import { type KeptImages } from '../kept-images.ts';
import { type Ended, finishFailedAttempt } from './finish-failed-attempt.ts';
import { StaleAttempt } from './stale-attempt.ts';

export interface RunBuildDeps extends AttemptDeps {
  signals: SignalBus;
  relay: Relay;
  engine: Engine;
  registries: RegistryClients;
  bases: BaseImages;
  sealer: Sealer;
  log: Logger;
  worker: string;
  kept: KeptImages;
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
  let image: BuiltImage | undefined;
  let ended: Ended = 'handed over';
  try {
    const access = await accessForBuild(deps.db, deps.sealer, build);
    attempt.redaction.add([access.target, ...access.bases]);
    const parsed = await attempt.run('prepare', 'build', () => prepare(deps, attempt, access.target));
    await attempt.move('assigned', 'running', 'building');
    try {
      image = await attempt.run('build', 'push', () => makeImage(deps, attempt, parsed, access.bases));
      const built = image;
      crashPoint('image-built');
      await attempt.move('running', 'publishing', 'pushing');
      // The image stays in the store meanwhile: when a registry is away, only the push is done again.
      // A base's layers can go to the target without this machine when both are in one registry.
      const digest = await attempt.run('push', 'verify', () =>
        pushImage(deps, attempt, built, sourcesOf(parsed, access.bases)),
      );
      crashPoint('image-pushed');
      await attempt.log.write(`pushed ${build.host}/${build.repository}@${digest}`);
      // Before the hand-over: afterwards the fence is the registrar's, and the log would be refused.
      await attempt.log.flush();
      await handOver(deps, build, digest);
      crashPoint('handed-over');
    } finally {
      await attempt.log.flush();
    }
  } catch (error) {
    ended = await finishFailedAttempt(deps, attempt, error, image);
  } finally {
    if (ended !== 'image kept') await discardImage(deps, attempt, image);
    else if (image) deps.engine.keep(image);
    await attempt.close();
    deps.signals.send('progress', build.id);
    deps.signals.send('dispatch', everyone);
  }
  return ended;
}

/** What the attempt itself made is recorded nowhere; what it found here from an earlier one is. */
const discardImage = ({ engine, kept }: RunBuildDeps, { name }: Attempt, image: BuiltImage | undefined) =>
  image && image.id !== name ? kept.discard(image) : engine.discard({ id: name });

/**
 * Makes the attempt's folder, and refuses at once what would be refused after a long build.
 * @returns the Dockerfile, parsed
 */
async function prepare(
  deps: RunBuildDeps,
  { build, workDir }: Attempt,
  target: RegistryAccess,
): Promise<ParsedDockerfile> {
  await mkdir(workDir, { recursive: true, mode: 0o700 });
  const parsed = parseDockerfile(build.request.dockerfile);
  if (build.overwrite) return parsed;
  const existing = await deps.registries.for(target).headManifest(build.repository, build.tag);
  if (!existing) return parsed;
  throw fieldFault(
    'TagExists',
    requestFields.reference,
    `${formatReference(build)} exists already (${existing}) and ${requestFields.overwrite} is false`,
  );
}

/**
 * Builds the image, unless an earlier build from the same inputs left it in this very store when only its push failed.
 */
async function makeImage(
  deps: RunBuildDeps,
  attempt: Attempt,
  parsed: ParsedDockerfile,
  bases: RegistryAccess[],
): Promise<BuiltImage> {
  const { build, log } = attempt;
  const kept = await deps.kept.find(build);
  if (kept) {
    await log.write('kiln: built before, and still here; only the push is done again');
    return kept;
  }
  const { host } = deps;
  for (const it of build.notes) await log.write(`kiln: note: ${it}`);
  // Before anything is fetched: whether this builder can give what was asked for.
  const limits = await limitsHere(deps, attempt);
  const network = networkHere(deps, attempt);
  const found = await deps.bases.find(parsed, bases);
  for (const it of found) await log.write(`kiln: ${it.name} is ${it.id}`);
  const { onBytes, steps } = attempt;
  const call = { ...attempt.engineOptions, onBytes, onLine: (line: string) => log.write(line) };
  await fetchBases(deps.registries, deps.engine, found, call);
  for (const it of parsed.warnings) await log.write(`kiln: warning: ${it}`);
  const secrets = await openBuildSecrets(deps.db, deps.sealer, build.accountId, parsed.secrets);
  attempt.redaction.hide(secrets.map((it) => it.value));
  return deps.engine.build({
    ...attempt.engineOptions,
    id: attempt.name,
    owner: build.accountId,
    dockerfile: build.request.dockerfile,
    parsed,
    bases: found,
    limits,
    network: { ...network, deny: [...network.deny, ...host.own], resolvers: host.resolvers },
    secrets,
    layerCache: host.layerCache,
    onStep: (step) => steps.take(step, log.nextLine()),
    onLine(line, partial) {
      crashPoint('step-running');
      return log.write(line, partial);
    },
  });
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

function networkHere({ host, platform }: RunBuildDeps, { build }: Attempt): Omit<NetworkRules, 'resolvers'> {
  const { network } = offered(() => networkOf(platform.networks, build.request.network));
  // By another way than the one that was asked for, it would go around what stands there.
  if (network.way > host.ways)
    throw new Fault('EngineFailed', `this builder has no way out number ${network.way} (KILN_BUILD_WAYS)`);
  return network;
}

async function pushImage(
  deps: RunBuildDeps,
  attempt: Attempt,
  image: BuiltImage,
  sources: GatewaySource[],
): Promise<string> {
  const { build, log } = attempt;
  // Taken anew: a token may have run out, or a password been changed, while the build ran.
  const { target } = await accessForBuild(deps.db, deps.sealer, build);
  attempt.redaction.add([target]);
  const { onBytes } = attempt;
  const { signal } = attempt.engineOptions;
  const to = { access: target, repository: build.repository, tag: stagingTag };
  return withGateway(deps.registries, { sources, target: to, signal, onBytes }, async (gateway) => {
    await deps.engine.push(image, {
      ...attempt.engineOptions,
      gateway: gateway.socket,
      onLine(line) {
        crashPoint('push-begun');
        return log.write(line);
      },
    });
    if (gateway.pushed === undefined)
      throw new Fault('PushFailed', `push to ${build.host}/${build.repository} sent no manifest`);
    return gateway.pushed;
  });
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
