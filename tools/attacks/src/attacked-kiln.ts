import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { networkInterfaces } from 'node:os';
import { testsAll, testStack } from '@kiln/kit/testing';
import { openTestKiln, type TestKiln } from '@kiln/stack/testing';

/** An attack that takes long: `npm run attacks`. */
export const longTest = testsAll ? it : it.skip;

/** A Kiln with small resource classes, whose only open address of its own machine is the registry of the test stack. */
export async function openAttackedKiln(
  options: { apps?: ('builder' | 'registrar')[]; env?: Record<string, string> } = {},
): Promise<TestKiln> {
  const stack = testStack();
  const small = { CPU: '1', Memory: '256Mi', Disk: '256Mi', Pids: 48, Seconds: 60 };
  const corp = {
    extendable: ['10.9.0.0/16'],
    deny: ['10.9.9.0/24'],
    groups: { sg: {}, 'sg-mirror': { only: ['203.0.113.7/32'] } },
  };
  const resources = { small, short: { ...small, Seconds: 8 } };
  const platform = { resources, strictClasses: true, networks: { 'vpc-corp': corp } };
  const env = {
    KILN_OPEN_ADDRESSES: stack.registryHost,
    KILN_BUILDER_SLOTS: '3',
    KILN_LAYER_CACHE_BYTES: String(256 << 20),
    ...options.env,
  };
  return openTestKiln({ ...options, env, platform });
}

/** A build of a Dockerfile that starts from the busybox base, in a small resource class. */
export async function attack(kiln: TestKiln, steps: string, top: Record<string, unknown> = {}): Promise<any> {
  const request = kiln.buildRequest(`FROM ${kiln.base}\n${steps}\n`, {
    top: { Resource: { EcsSpec: 'small' }, ...top },
  });
  const { ImageBuildId } = await kiln.submit(request);
  const ended = await kiln.ended(ImageBuildId);
  return { ...ended, log: await kiln.logs(ImageBuildId) };
}

/** An address of this machine that is not loopback. */
export const ownAddress = (): string =>
  Object.values(networkInterfaces())
    .flatMap((it) => it ?? [])
    .find((it) => it.family === 'IPv4' && !it.internal)?.address ?? '127.0.0.1';

/** Something of this machine that nobody outside is to reach; it notes whoever does. */
export async function openVictim(host = '127.0.0.1'): Promise<{ port: number; visits: string[]; close: () => void }> {
  const visits: string[] = [];
  const server: Server = createServer((req, res) => {
    visits.push(`${req.method} ${req.url} ${req.headers.authorization ?? ''}`.trim());
    res.end('inside');
  });
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  return {
    port: (server.address() as AddressInfo).port,
    visits,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
