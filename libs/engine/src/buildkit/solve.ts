import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Metadata } from '@grpc/grpc-js';
import { type Compression, contextName, type ParsedDockerfile } from '@kiln/domain';
import type { Secret } from '@kiln/kit';
import type { BaseImage, BuildRequest, ContextFiles } from '../engine.ts';
import type { Connection } from './connection.ts';
import { dockerfileInput } from './dockerfile-input.ts';
import type { Result, SolveRequest, StatusResponse } from './messages.ts';
import { pinBases } from './pin-bases.ts';
import { readPlan } from './plan.ts';
import type { Progress } from './progress.ts';
import { folderOf, openSession } from './session.ts';

export interface SolveOptions {
  dockerfile: string;
  parsed: ParsedDockerfile;
  bases: readonly BaseImage[];
  /** Where the gateway is, whether it speaks without TLS, and the name below which it takes this build's image. */
  registry: { host: string; build: string; password: string; isPlain: boolean };
  secrets: readonly { id: string; value: Secret }[];
  context: ContextFiles | undefined;
  namedContexts: ReadonlyMap<string, ContextFiles>;
  platform: string | undefined;
  /** Whether steps have to be told to use the daemon's own network. */
  forceHostNetwork: boolean;
  cached: boolean;
  /** Digest of the gateway's manifest of layers that earlier builds have kept in a registry. */
  cacheFrom: string | undefined;
  /** What is sent to the gateway's `image` in the end: the image, or the layers of all steps for later builds. */
  sends: 'image' | 'cache';
  compression: Compression;
  buildArgs: Record<string, string>;
  labels: Record<string, string>;
  target: string | undefined;
  /** What the Dockerfile's frontend is told beside all that; over it. */
  frontendOptions: Record<string, string>;
  progress: Progress;
}

/** What a daemon is told for a build. */
export const solveOptionsOf = (
  request: BuildRequest,
  progress: Progress,
  ofDaemon: Pick<SolveOptions, 'registry' | 'forceHostNetwork' | 'frontendOptions'>,
): SolveOptions => ({
  dockerfile: request.dockerfile,
  parsed: request.parsed,
  bases: request.bases,
  secrets: request.secrets ?? [],
  context: request.context,
  namedContexts: request.namedContexts ?? new Map(),
  platform: request.platform,
  cached: request.layerCache,
  cacheFrom: request.cacheFrom,
  sends: 'image',
  compression: request.compression,
  buildArgs: request.buildArgs ?? {},
  labels: request.labels ?? {},
  target: request.target,
  progress,
  ...ofDaemon,
});

/** A build whose steps have all run, and whose image is not yet sent. */
export interface Solve {
  /** Sends the image, or the layers of all steps; resolves with the digest of the image's manifest. */
  send(): Promise<string>;
  /** Ends it without an image. */
  abandon(): Promise<void>;
}

/** A build that has ended and tells nothing for so long has told everything. */
const lastStatusMs = 5000;

const idOf = (): string => randomBytes(16).toString('hex');

const digestIn = (image: string): string => image.slice(image.indexOf('@') + 1);

const importOf = ({ host, isPlain }: SolveOptions['registry'], digest: string): string =>
  JSON.stringify([
    { Type: 'registry', Attrs: { ref: `${host}/base@${digest}`, ...(isPlain ? { 'registry.insecure': 'true' } : {}) } },
  ]);

/** What a daemon is to send where, once all steps have run. */
function outputOf({ registry, compression, sends }: SolveOptions): Partial<SolveRequest> {
  const name = `${registry.host}/${registry.build}/image`;
  const packing = {
    ...(registry.isPlain ? { 'registry.insecure': 'true' } : {}),
    'oci-mediatypes': 'true',
    compression: compression.type,
    ...(compression.level === undefined ? {} : { 'compression-level': String(compression.level) }),
    ...(compression.force ? { 'force-compression': 'true' } : {}),
  };
  if (sends === 'cache') {
    // As a manifest of an image: an index of layers is refused by many registries.
    const Attrs = { ref: `${name}:cache`, mode: 'max', 'image-manifest': 'true', ...packing };
    return { Cache: { Exports: [{ Type: 'registry', Attrs }] } };
  }
  const attributes = { name, push: 'true', 'push-by-digest': 'true', 'name-canonical': 'true', store: 'false' };
  return { ExporterDeprecated: 'image', ExporterAttrsDeprecated: { ...attributes, ...packing } };
}

/** What the Dockerfile's frontend is told. */
function frontendOptions(options: SolveOptions, bases: readonly BaseImage[]): Record<string, string> {
  const { registry, namedContexts, platform, forceHostNetwork, cached, cacheFrom, buildArgs, labels, target } = options;
  return {
    filename: 'Dockerfile',
    // Who reads the Dockerfile has been chosen: no directive in it, and no argument, names a program to fetch for that.
    cmdline: 'docker/dockerfile',
    ...Object.fromEntries(
      bases.map(({ name, id, platform }) => [
        `context:${contextName(name)}::${platform}`,
        `docker-image://${registry.host}/base@${digestIn(id)}`,
      ]),
    ),
    ...Object.fromEntries([...namedContexts.keys()].map((name) => [`context:${name}`, `local:${folderOf(name)}`])),
    ...(platform === undefined ? {} : { platform }),
    ...(forceHostNetwork ? { 'force-network-mode': 'host' } : {}),
    ...(cached ? {} : { 'no-cache': '' }),
    ...(cached && cacheFrom !== undefined ? { 'cache-imports': importOf(registry, cacheFrom) } : {}),
    ...(target === undefined ? {} : { target }),
    ...Object.fromEntries(Object.entries(buildArgs).map(([name, value]) => [`build-arg:${name}`, value])),
    ...Object.fromEntries(Object.entries(labels).map(([name, value]) => [`label:${name}`, value])),
    // Last: nothing else may say which group it is.
    ...options.frontendOptions,
  };
}

/**
 * Runs a build's steps, as the client and the frontend of it: the daemon turns the Dockerfile into a graph, which is
 * looked at before it runs.
 * @throws what the daemon says, as a ServiceError; Fault DockerfileInvalid, EngineFailed for a graph that may not run
 */
export async function startSolve(connection: Connection, options: SolveOptions, signal: AbortSignal): Promise<Solve> {
  const { registry, progress } = options;
  const names = { ref: idOf(), session: idOf() };
  const ending = new AbortController();
  const running = AbortSignal.any([signal, ending.signal]);
  const session = openSession(connection, { ...options, id: names.session });
  const status = connection.status(names.ref);
  let told = performance.now();
  let isTaking = false;
  let hear = (): void => undefined;
  const heard = new Promise<void>((resolve) => (hear = resolve));
  const followed = (async () => {
    for await (const it of status) {
      hear();
      isTaking = true;
      await progress.take(it as StatusResponse);
      [isTaking, told] = [false, performance.now()];
    }
  })()
    .catch(() => undefined)
    .finally(hear);
  const build = new Metadata();
  build.set('buildkit-controlapi-buildid', names.ref);
  const solved = connection.solve(
    {
      Ref: names.ref,
      Session: names.session,
      Frontend: '',
      ...outputOf(options),
      Entitlements: options.forceHostNetwork ? ['network.host'] : [],
      Internal: true,
    },
    running,
  );
  // Awaited where it is needed; when a step fails, that says it first.
  solved.catch(() => undefined);
  const finish = async (outcome: Result | Error): Promise<void> => {
    // The daemon tells nothing of a build that has ended before it took the question.
    await Promise.race([heard, sleep(lastStatusMs, undefined, { ref: false })]);
    await connection.finish(outcome, build, running);
  };
  const close = async (): Promise<void> => {
    told = performance.now();
    // The daemon ends it when all is told; a log may be taken more slowly than it was printed.
    const late = setInterval(() => {
      if (!isTaking && performance.now() - told > lastStatusMs) status.cancel();
    }, 200);
    await followed;
    clearInterval(late);
    session.close();
  };

  const { dockerfile, bases } = pinBases(options.dockerfile, options.parsed, options.bases);
  let result: Result;
  try {
    result = await connection.convert(
      {
        Frontend: 'dockerfile.v0',
        FrontendOpt: frontendOptions(options, bases),
        FrontendInputs: { dockerfile: dockerfileInput(dockerfile) },
        allowResultReturn: true,
        allowResultArrayRef: true,
      },
      build,
      running,
    );
    progress.follow(readPlan(result, options.parsed, options.bases, registry.host));
    const ref = result.ref?.id;
    if (ref) await connection.evaluate(ref, build, running);
  } catch (error) {
    if (signal.aborted) status.cancel();
    else await finish(error as Error).catch(() => undefined);
    ending.abort();
    await close();
    throw error;
  }
  return {
    async send() {
      try {
        await finish({ ...result, ...(result.ref ? { ref: { id: result.ref.id } } : {}) });
        return (await solved)['containerimage.digest'] ?? '';
      } finally {
        if (signal.aborted) status.cancel();
        await close();
      }
    },
    async abandon() {
      await finish(new Error('the image is not wanted')).catch(() => undefined);
      await close();
    },
  };
}
