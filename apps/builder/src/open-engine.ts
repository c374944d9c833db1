import { diskBytesMax, type Platform } from '@kiln/domain';
import {
  type DaemonAddress,
  type Engine,
  type FleetOptions,
  type MutualTls,
  openBuildkit,
  openFleet,
  readEngineRoot,
} from '@kiln/engine';
import { listSetting } from '@kiln/kit';
import { z } from 'zod';

const bytes = (def: number) => z.coerce.number().int().min(0).default(def);
const pem = (what: string) =>
  z.string().regex(/^\s*-----BEGIN [A-Z ]+-----/, `needs ${what} in PEM`).optional(); // prettier-ignore

/** Which BuildKit a builder uses, and what it keeps of it. */
export const engineSettings = {
  /** A folder with a Linux system in which BuildKit is: its own daemon, or Docker's. */
  KILN_ENGINE_ROOT: z.string().default('/opt/kiln/engine'),
  /** What runs the bundles of rooms: runc, or a program that takes the same arguments. */
  KILN_OCI_RUNTIME: z.string().default('runc'),
  /** Engines that are kept running beside those that build, and how long each is without a build. */
  KILN_WARM_ROOMS: z.coerce.number().int().min(0).max(100).default(4),
  KILN_WARM_ROOM_S: z.coerce.number().int().min(0).default(600),
  /** What the processes of those without a build may have of the memory, together. */
  KILN_WARM_ROOM_BYTES: bytes(2 * 2 ** 30),
  /** Ways out of this machine that networks may name, as `device=gateway`; the first is number 1. */
  KILN_BUILD_WAYS: listSetting,
  /** What the stores of all accounts may take of this builder's disk; each keeps a quarter at most. 0 keeps none. */
  KILN_LAYER_CACHE_BYTES: bytes(20 * 2 ** 30),
  /** BuildKits that run elsewhere, in place of rooms: `tcp://host:port`, `docker://host:port`, `unix:///path`. */
  KILN_BUILDKIT_ADDRESS: listSetting,
  /** The authority that they have their certificates of, and what this builder shows them. */
  KILN_BUILDKIT_CA: pem('a certificate authority'),
  KILN_BUILDKIT_CERT: pem('a certificate'),
  KILN_BUILDKIT_KEY: pem('a private key'),
  /** Where they reach this builder: `http://host:port`, or `https://…` with the certificate above. */
  KILN_BUILDKIT_GATEWAY: z.url({ protocol: /^https?$/ }).optional(),
};

export type EngineConfig = z.infer<z.ZodObject<typeof engineSettings>>;

/** What the engine depends on beside its settings. */
export interface EngineHost {
  storeDir: string;
  slots: number;
  memoryBytesMax: number;
  platform: Platform;
}

/**
 * Opens the engine that the settings name: rooms of this machine, or BuildKits elsewhere.
 * @throws Error that names the setting that is missing or wrong
 */
export function openEngine(config: EngineConfig, { storeDir, slots, memoryBytesMax, platform }: EngineHost): Engine {
  if (config.KILN_BUILDKIT_ADDRESS.length > 0) return openFleet(fleetOf(config, storeDir));
  return openBuildkit({
    storeDir,
    engine: readEngineRoot(config.KILN_ENGINE_ROOT),
    runtime: config.KILN_OCI_RUNTIME,
    ways: config.KILN_BUILD_WAYS,
    warmMax: config.KILN_WARM_ROOMS,
    idleMs: config.KILN_WARM_ROOM_S * 1000,
    warmBytesMax: config.KILN_WARM_ROOM_BYTES,
    // What the engine of one account may take of this machine: as much as all builds that run at once.
    limits: { memoryBytes: memoryBytesMax * slots, pids: 32_768 },
    cacheBytes: Math.floor(config.KILN_LAYER_CACHE_BYTES / 4),
    workBytes: slots * diskBytesMax(platform),
    storeBytes: config.KILN_LAYER_CACHE_BYTES,
  });
}

/** @throws Error that names the setting that is missing or wrong */
function fleetOf(config: EngineConfig, dir: string): FleetOptions {
  const { KILN_BUILDKIT_CA: ca, KILN_BUILDKIT_CERT: cert, KILN_BUILDKIT_KEY: key } = config;
  const given = [ca, cert, key].filter((it) => it !== undefined).length;
  if (given > 0 && given < 3)
    throw new Error('KILN_BUILDKIT_CA, KILN_BUILDKIT_CERT and KILN_BUILDKIT_KEY belong together: set all three');
  const tls = ca !== undefined && cert !== undefined && key !== undefined ? { ca, cert, key } : undefined;
  if (config.KILN_BUILDKIT_GATEWAY === undefined)
    throw new Error(
      'KILN_BUILDKIT_ADDRESS needs KILN_BUILDKIT_GATEWAY: the address where the BuildKits reach this builder',
    );
  const gateway = new URL(config.KILN_BUILDKIT_GATEWAY);
  if (gateway.protocol === 'http:' && !loopback.test(gateway.hostname))
    throw new Error('KILN_BUILDKIT_GATEWAY: elsewhere than on loopback, the gateway is spoken to with TLS: use https');
  if (gateway.protocol === 'https:' && !tls)
    throw new Error('KILN_BUILDKIT_GATEWAY with https needs KILN_BUILDKIT_CERT and KILN_BUILDKIT_KEY');
  return { daemons: config.KILN_BUILDKIT_ADDRESS.map((it) => addressOf(it, tls)), gateway, certificate: tls, dir };
}

const loopback = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/;

function addressOf(text: string, tls: MutualTls | undefined): DaemonAddress {
  const wrong = (why: string) => new Error(`KILN_BUILDKIT_ADDRESS: ${text} ${why}`);
  const url = URL.parse(text);
  if (url?.protocol === 'unix:' && url.pathname.startsWith('/'))
    return { daemon: 'buildkitd', at: { socket: url.pathname } };
  if (!url || !['tcp:', 'docker:'].includes(url.protocol) || !url.hostname || !url.port)
    throw wrong('is not tcp://host:port, docker://host:port or unix:///path');
  // Who speaks to a BuildKit is root there.
  if (!tls && !loopback.test(url.hostname))
    throw wrong(
      'needs KILN_BUILDKIT_CA, KILN_BUILDKIT_CERT and KILN_BUILDKIT_KEY: elsewhere, BuildKit is spoken to with TLS',
    );
  const host = url.hostname.replace(/^\[|\]$/g, '');
  return { daemon: url.protocol === 'docker:' ? 'dockerd' : 'buildkitd', at: { host, port: Number(url.port) }, tls };
}
