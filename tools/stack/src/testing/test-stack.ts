import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestStack } from '@kiln/kit/testing';
import { ensureBusyboxBase } from '../base-image.ts';
import { ensureEngineRoot } from '../debian.ts';
import { engineParts, installParts, missingParts, poolerPart, redisPart, serverParts } from '../parts.ts';
import { portFor, readState, writeState } from '../local-state.ts';
import { endLeftovers, freePort, type Managed } from '../processes.ts';
import { startPostgres, startRedis, startRegistry } from '../servers.ts';

// For a builder without privileges.
const newuidmap = { program: 'newuidmap', package: 'uidmap', why: 'gives an ordinary user its subordinate ids' };
const busybox = { program: 'busybox', package: 'busybox-static', why: 'is the base of the tests’ images' };

// `kiln` with the password `kiln-test`; bcrypt, as the registry wants it.
const htpasswd = 'kiln:$2y$05$abcdefghijklmnopqrstuu2qk90.5ltQRF26/MW7AD6OOLoOALoYy';

const chromium = {
  program: 'chromium',
  package: 'chromium',
  why: 'looks at the console as people do',
};
const tmux = { program: 'tmux', package: 'tmux', why: 'is a terminal for the kiln command' };
const git = [
  { program: 'git', package: 'git', why: 'serves repositories' },
  { program: 'sshd', package: 'openssh-server', why: 'serves repositories' },
];

export interface RunningTestStack {
  stack: TestStack;
  file: string;
  stop(): Promise<void>;
}

/** Starts the servers that tests use, in `dir`, and describes them in `dir/stack.json`. */
export async function startTestStack(dir: string): Promise<RunningTestStack> {
  const missing = missingParts([
    ...serverParts,
    redisPart,
    poolerPart,
    ...engineParts,
    busybox,
    newuidmap,
    chromium,
    tmux,
    ...git,
  ]);
  if (missing.length > 0) await installParts(missing);
  await endLeftovers(dir);
  // Tests start from nothing; what they share, such as the Debian tar, lies beside this folder.
  rmSync(dir, { recursive: true, force: true });
  const state = readState(dir);
  const started: Managed[] = [];
  const stop = async () => {
    rmSync(join(dir, 'stack.json'), { force: true });
    for (const it of started.reverse()) await it.stop();
  };
  try {
    const postgres = await startPostgres(dir, {
      port: await portFor(state, 'postgres'),
      password: state.postgresPassword,
      durable: false,
    });
    started.push(postgres.server);
    const redis = await startRedis(dir, {
      port: await portFor(state, 'redis'),
      password: state.redisPassword,
      // A Kiln of each test's own.
      prefix: 'test-*',
    });
    started.push(redis.server);
    const registry = await startRegistry(dir, { port: await portFor(state, 'registry') });
    started.push(registry.server);
    const locked = await startRegistry(dir, { port: await freePort(), name: 'private-registry', htpasswd });
    started.push(locked.server);
    await ensureBusyboxBase(registry.host, dir);
    const engineRoot = await ensureEngineRoot();
    writeState(dir, state);
    const stack: TestStack = {
      postgresUrl: postgres.url,
      redisUrl: redis.url,
      registryHost: registry.host,
      privateRegistryHost: locked.host,
      engineRoot,
      dir,
    };
    const file = join(dir, 'stack.json');
    mkdirSync(dir, { recursive: true });
    writeFileSync(file, JSON.stringify(stack, null, 2), { mode: 0o600 });
    return { stack, file, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
