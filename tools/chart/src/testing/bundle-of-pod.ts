import type { Container, PodSpec } from './pods.ts';

// What kubelets hide from containers and what they let them read only, unless procMount is Unmasked.
const masked = [
  '/proc/acpi',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/timer_list',
  '/proc/sched_debug',
  '/proc/scsi',
];
const readOnly = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'];

const mount = (type: string, destination: string, ...options: string[]) => ({
  destination,
  type,
  source: type,
  options: ['nosuid', ...options],
});

/**
 * The OCI bundle that a container of a pod comes to: its users, capabilities, filters and mounts are those that its
 * security context asks for. This machine's own files are its image, and cannot be written.
 * @param folders that can be written, under the same names
 */
export function bundleOf(
  spec: PodSpec,
  { securityContext = {} }: Container,
  given: { rootfs: string; args: string[]; env: Record<string, string>; folders: string[] },
) {
  const { capabilities = {}, procMount, allowPrivilegeEscalation, seccompProfile } = securityContext;
  if (spec.hostUsers !== false) throw new Error('this is for pods with users of their own');
  if ((seccompProfile as { type?: string } | undefined)?.type !== 'Unconfined')
    throw new Error('a kubelet would add the filter of its runtime');
  const names = (capabilities.add ?? []).map((it) => `CAP_${it}`);
  const ids = [{ containerID: 0, hostID: 1_700_000_000, size: 65_536 }];
  const isUnmasked = procMount === 'Unmasked';
  return {
    ociVersion: '1.0.2',
    hostname: 'kiln-builder-0',
    root: { path: given.rootfs, readonly: true },
    process: {
      user: { uid: 0, gid: 0 },
      cwd: '/',
      args: given.args,
      env: Object.entries(given.env).map(([name, value]) => `${name}=${value}`),
      capabilities: { bounding: names, effective: names, permitted: names },
      noNewPrivileges: allowPrivilegeEscalation !== true,
    },
    mounts: [
      mount('proc', '/proc', 'noexec', 'nodev'),
      mount('tmpfs', '/dev', 'strictatime', 'mode=755', 'size=65536k'),
      mount('devpts', '/dev/pts', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620'),
      mount('tmpfs', '/dev/shm', 'noexec', 'nodev', 'mode=1777'),
      mount('mqueue', '/dev/mqueue', 'noexec', 'nodev'),
      mount('sysfs', '/sys', 'noexec', 'nodev', 'ro'),
      mount('cgroup', '/sys/fs/cgroup', 'noexec', 'nodev', 'relatime', 'ro'),
      mount('tmpfs', '/run', 'nodev', 'mode=755'),
      ...given.folders.map((it) => ({ destination: it, type: 'bind', source: it, options: ['bind', 'rw'] })),
    ],
    linux: {
      namespaces: ['pid', 'ipc', 'uts', 'mount', 'cgroup', 'user', 'network'].map((type) => ({ type })),
      uidMappings: ids,
      gidMappings: ids,
      maskedPaths: isUnmasked ? [] : masked,
      readonlyPaths: isUnmasked ? [] : readOnly,
    },
  };
}
