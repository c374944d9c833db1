import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RoomLimits } from './cgroups.ts';
import type { IdMapping } from './ids.ts';

/** Where things are, as the daemon in a room sees them: all below its /run, so that any engine root has room for them. */
export const inside = {
  store: '/run/kiln/store',
  settings: '/run/kiln/settings',
  sockets: '/run/kiln/sockets',
  socket: '/run/kiln/sockets/engine',
} as const;

/**
 * Where a room's runtime finds the engine root, in its own namespace of mounts. It looks there with the room's ids,
 * which may not pass through the folders above the root, such as somebody's home.
 */
export const engineMount = '/run/kiln-engine';

/** A room as data: all that its `config.json` depends on. */
export interface RoomSpec {
  /** What starts the daemon. */
  command: readonly string[];
  environment?: Record<string, string>;
  /** Ids inside and outside; none in a rootless room of this user's own. */
  ids: readonly [IdMapping, ...IdMapping[]];
  /** Below each hierarchy of control groups; undefined where there may be none. */
  group: string | undefined;
  /** Of all that runs in the room together; a processor's time is bounded for each build. */
  limits: RoomLimits;
  /** Folders and files of the host that it is shown. */
  folders: { store: string; settings: string; sockets: string; resolvers: string };
}

// Mounting is what an engine does, and only in namespaces of the room's own. Not CAP_NET_ADMIN: the firewall in the
// room's network is the host's.
const capabilities = [
  'CHOWN', 'DAC_OVERRIDE', 'DAC_READ_SEARCH', 'FSETID', 'FOWNER', 'MKNOD', 'NET_RAW', 'SETGID', 'SETUID', 'SETFCAP',
  'SETPCAP', 'NET_BIND_SERVICE', 'SYS_CHROOT', 'KILL', 'AUDIT_WRITE', 'SYS_ADMIN',
].map((it) => `CAP_${it}`); // prettier-ignore

const openFiles = 20_000;

/** System calls that nothing in a room may make: those on the kernel itself, and those that have broken it. */
const seccomp = JSON.parse(readFileSync(join(import.meta.dirname, '../../jail/seccomp.json'), 'utf8')) as unknown;

const mount = (destination: string, type: string, ...options: string[]) => ({
  destination,
  type,
  source: type,
  options,
});
const bind = (source: string, destination: string, ...options: string[]) => ({
  destination,
  type: 'bind',
  source,
  options: ['bind', 'nosuid', 'nodev', ...options],
});

/**
 * The OCI bundle of a room, as its `config.json` says it: namespaces of its own for everything, users included; few
 * capabilities; a read-only root; and one folder of the host that can be written, its store.
 */
export function bundleOf({ command, environment = {}, ids, group, limits, folders }: RoomSpec) {
  const { memoryBytes, pids } = limits;
  const variables = {
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    HOME: '/run',
    TMPDIR: '/tmp',
  };
  return {
    ociVersion: '1.0.2',
    hostname: 'kiln',
    root: { path: engineMount, readonly: true },
    process: {
      terminal: false,
      user: { uid: 0, gid: 0 },
      cwd: '/',
      args: command,
      env: Object.entries({ ...variables, ...environment }).map(([name, value]) => `${name}=${value}`),
      capabilities: { bounding: capabilities, effective: capabilities, permitted: capabilities },
      // Programs such as sudo run as whom their file belongs to: ids of this room, and no others.
      noNewPrivileges: false,
      rlimits: [{ type: 'RLIMIT_NOFILE', soft: openFiles, hard: openFiles }],
    },
    mounts: [
      mount('/proc', 'proc', 'nosuid', 'noexec', 'nodev'),
      mount('/dev', 'tmpfs', 'nosuid', 'strictatime', 'mode=755', 'size=64k'),
      mount('/dev/pts', 'devpts', 'nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620'),
      mount('/dev/shm', 'tmpfs', 'nosuid', 'noexec', 'nodev', 'mode=1777', 'size=64m'),
      mount('/dev/mqueue', 'mqueue', 'nosuid', 'noexec', 'nodev'),
      mount('/sys', 'sysfs', 'nosuid', 'noexec', 'nodev', 'ro'),
      // A runtime inside looks for it, though there be no group to make.
      mount('/sys/fs/cgroup', 'cgroup', 'nosuid', 'noexec', 'nodev', 'relatime', group === undefined ? 'ro' : 'rw'),
      mount('/run', 'tmpfs', 'nosuid', 'nodev', 'mode=755', 'size=64m'),
      mount('/tmp', 'tmpfs', 'nosuid', 'nodev', 'mode=1777', 'size=256m'),
      // Images have set-user-id files, and steps run them.
      { destination: inside.store, type: 'bind', source: folders.store, options: ['bind', 'nodev', 'rw'] },
      bind(folders.sockets, inside.sockets, 'noexec', 'rw'),
      bind(folders.settings, inside.settings, 'ro'),
      bind(folders.resolvers, '/etc/resolv.conf', 'noexec', 'ro'),
    ],
    linux: {
      namespaces: ['pid', 'ipc', 'uts', 'mount', 'cgroup', 'user', 'network'].map((type) => ({ type })),
      uidMappings: ids,
      gidMappings: ids,
      ...(group === undefined
        ? {}
        : {
            cgroupsPath: `/${group}`,
            resources: {
              memory: { limit: memoryBytes },
              pids: { limit: pids },
            },
          }),
      seccomp,
      // A runtime inside mounts a /proc for each step, which the kernel allows to those only who see all of their own.
      maskedPaths: [],
      readonlyPaths: [],
    },
  };
}
