import type { Limits, NetworkRules } from '@kiln/domain';
import { bundleOf } from '../jail/bundle.ts';
import type { EngineRoot } from '../jail/engine-root.ts';
import { idsOf } from '../jail/ids.ts';
import { firewallOf } from '../jail/network.ts';
import { daemonSettings } from './daemon-settings.ts';
import { groupOf } from './step-groups.ts';

/**
 * What holds for a build, as an operator may read it: the engine root, the bundle of its room, the settings of the
 * daemon in it, the firewall, and the limits of the build's own control group. The room's number and folders are
 * examples.
 */
export function describeRoom(engine: EngineRoot, network: NetworkRules, limits: Limits, cacheBytes: number) {
  const folder = '/var/lib/kiln-builder/store/rooms/0-EXAMPLE/run';
  const settings = daemonSettings(engine, cacheBytes);
  const { memoryBytes, cpuMillis, pids, diskBytes, seconds } = limits;
  return {
    engineRoot: engine.path,
    bundle: bundleOf({
      ...settings,
      ids: idsOf(0),
      group: 'kiln/EXAMPLE/0',
      limits,
      folders: {
        store: `${folder}/store`,
        settings: `${folder}/settings`,
        sockets: '/run/kiln-sockets/EXAMPLE',
        resolvers: `${folder}/resolv.conf`,
      },
    }),
    daemon: settings.files,
    firewall: firewallOf(network).split('\n'),
    build: { group: `kiln/EXAMPLE/0/${groupOf('EXAMPLE')}`, memoryBytes, cpuMillis, pids, diskBytes, seconds },
  };
}
