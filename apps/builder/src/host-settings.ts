import { readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { networkInterfaces, totalmem } from 'node:os';

/** What holds for every build of this machine. */
export interface HostSettings {
  /** DNS servers that builds may ask. */
  resolvers: readonly string[];
  /** Addresses of this machine, closed to builds. */
  own: readonly string[];
  /** More memory than this no build gets, whatever its class says. */
  memoryBytesMax: number;
  /** Ways out beside the machine's own. */
  ways: number;
  /** Whether builds use layers of their account's earlier ones. */
  layerCache: boolean;
  /** Whether registries are sent a tag with each image, for those that keep none without. */
  stagingTag: boolean;
}

// A stub on loopback stands before these; a jail has a loopback of its own.
const resolverFiles = ['/etc/resolv.conf', '/run/systemd/resolve/resolv.conf'];

/** The machine's DNS servers that can be reached from elsewhere than itself. */
async function resolversOfHost(): Promise<string[]> {
  for (const file of resolverFiles) {
    const text = await readFile(file, 'utf8').catch(() => '');
    const found = [...text.matchAll(/^\s*nameserver\s+(\S+)/gm)].map((it) => it[1] ?? '');
    const usable = found.filter((it) => isIP(it) === 4 && !it.startsWith('127.'));
    if (usable.length > 0) return usable;
  }
  return [];
}

/** What this leaves of the machine's memory to everything else. */
const keptBytes = 512 * 2 ** 20;

/** @param resolvers the operator's; the machine's own when there are none */
export async function hostSettings(
  resolvers: readonly string[],
  {
    slots,
    isElsewhere,
    ...settings
  }: Pick<HostSettings, 'ways' | 'layerCache' | 'stagingTag'> & {
    slots: number;
    /** Whether builds run on other machines, and take nothing of this one's memory. */
    isElsewhere: boolean;
  },
): Promise<HostSettings> {
  // Without the links of rooms, which come and go, and which the machine's own firewall closes to them.
  const own = Object.entries(networkInterfaces())
    .filter(([name]) => !/^kv\d+$/.test(name))
    .flatMap(([, addresses]) => addresses ?? [])
    .filter((it) => !it.internal)
    .map((it) => it.address)
    .sort();
  // A container may have less than its machine; without a limit, the kernel says 0 or more than there is.
  const memory = Math.min(totalmem(), process.constrainedMemory() || Infinity);
  return {
    resolvers: resolvers.length > 0 ? resolvers : await resolversOfHost(),
    own,
    // Builds that run at once must not take the machine's memory from each other, nor from the builder.
    memoryBytesMax: isElsewhere ? Infinity : Math.floor(Math.max(memory / 2, memory - keptBytes) / slots),
    ...settings,
  };
}
