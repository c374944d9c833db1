import type { EngineRoot } from '../jail/engine-root.ts';
import { inside } from '../jail/bundle.ts';
import { gatewayHost } from '../jail/listener.ts';
import type { DaemonSettings } from '../jail/room.ts';
import { isRootOfMachine } from '../jail/user-namespace.ts';
import { stepRuntime } from './step-groups.ts';

/**
 * How the daemon of a room is started.
 * @param cacheBytes what it keeps of earlier builds; it forgets the rest by itself
 */
export const daemonSettings = (engine: EngineRoot, cacheBytes: number): DaemonSettings =>
  engine.daemon === 'buildkitd' ? buildkitd(engine.program, cacheBytes) : dockerd(engine.program, cacheBytes);

const stepRuntimeName = 'step-runtime';
const stepRuntimeFile = `${inside.settings}/${stepRuntimeName}`;

/** What is too much of a log, the builder says. */
const unlimitedLogs = { BUILDKIT_STEP_LOG_MAX_SIZE: '-1', BUILDKIT_STEP_LOG_MAX_SPEED: '-1' };

function buildkitd(program: string, cacheBytes: number): DaemonSettings {
  const settings = `root = "${inside.store}/buildkit"
[grpc]
address = ["unix://${inside.socket}"]
[worker.containerd]
enabled = false
[worker.oci]
enabled = true
snapshotter = "overlayfs"
networkMode = "host"
gc = true
gckeepstorage = ${cacheBytes}
binary = "${stepRuntimeFile}"
[registry."${gatewayHost}"]
http = true
[history]
maxAge = 60
maxEntries = 1
`;
  const file = 'buildkitd.toml';
  return {
    // Root of a room may run groups of its own, as root of a machine may, where there are any.
    command: [program, `--rootless=${!isRootOfMachine}`, '--config', `${inside.settings}/${file}`],
    environment: unlimitedLogs,
    files: { [file]: settings, [stepRuntimeName]: stepRuntime(['buildkit-runc', 'runc'], isRootOfMachine) },
  };
}

function dockerd(program: string, cacheBytes: number): DaemonSettings {
  const settings = {
    'data-root': `${inside.store}/docker`,
    'exec-root': '/run/docker',
    pidfile: '/run/docker.pid',
    hosts: [`unix://${inside.socket}`],
    // Links and firewalls are made outside; steps are in the room's own network.
    bridge: 'none',
    iptables: false,
    ip6tables: false,
    'userland-proxy': false,
    features: { 'containerd-snapshotter': true },
    builder: { gc: { enabled: true, defaultKeepStorage: `${cacheBytes}B` } },
    'log-level': 'warn',
  };
  const file = 'daemon.json';
  return {
    command: [program, '--config-file', `${inside.settings}/${file}`],
    environment: { ...unlimitedLogs, DOCKER_BUILDKIT_RUNC_COMMAND: stepRuntimeFile },
    files: { [file]: JSON.stringify(settings, null, 2), [stepRuntimeName]: stepRuntime(['runc'], isRootOfMachine) },
  };
}
