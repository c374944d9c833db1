import { bundleOf, type RoomSpec } from './bundle.ts';
import { idsOf, rootOf } from './ids.ts';
import { idsIn } from './user-namespace.ts';

const spec: RoomSpec = {
  command: ['/usr/bin/buildkitd', '--config', '/x'],
  environment: { A: 'b' },
  ids: idsOf(7),
  group: 'kiln/abc/7',
  limits: { memoryBytes: 1 << 30, pids: 100 },
  folders: { store: '/s', settings: '/t', sockets: '/k', resolvers: '/r' },
};

describe('the bundle of a room', () => {
  const bundle = bundleOf(spec);

  it('has namespaces of its own for everything, and maps root to nobody of the machine', () => {
    const types = ['pid', 'ipc', 'uts', 'mount', 'cgroup', 'user', 'network'];
    expect(bundle.linux.namespaces).toEqual(types.map((type) => ({ type })));
    expect(bundle.linux.uidMappings).toEqual([
      { containerID: 0, hostID: 2_014_680_064, size: 1_048_576 },
      { containerID: 1_000_000_000, hostID: 2_015_728_640, size: 1_048_576 },
    ]);
    expect(bundle.linux.gidMappings).toEqual(bundle.linux.uidMappings);
  });

  it('gives no right on the network, on the kernel or on what is not its own', () => {
    const { bounding, effective, permitted } = bundle.process.capabilities;
    expect(effective).toEqual(bounding);
    expect(permitted).toEqual(bounding);
    for (const it of ['NET_ADMIN', 'SYS_PTRACE', 'SYS_MODULE', 'SYS_RAWIO', 'SYS_TIME', 'SYS_BOOT', 'BPF', 'PERFMON'])
      expect(bounding).not.toContain(`CAP_${it}`);
  });

  it('shows four things of the machine, of which the store and the socket can be written', () => {
    const binds = bundle.mounts.filter((it) => it.type === 'bind');
    expect(binds.map(({ source, destination, options }) => [source, destination, options.includes('rw')])).toEqual([
      ['/s', '/run/kiln/store', true],
      ['/k', '/run/kiln/sockets', true],
      ['/t', '/run/kiln/settings', false],
      ['/r', '/etc/resolv.conf', false],
    ]);
    expect(bundle.root).toEqual({ path: '/run/kiln-engine', readonly: true });
  });

  it('bounds memory and processes of all that is in it', () => {
    expect(bundle.linux).toMatchObject({
      cgroupsPath: '/kiln/abc/7',
      resources: { memory: { limit: 1 << 30 }, pids: { limit: 100 } },
    });
  });

  it('has an allow-list of system calls without those that have broken kernels', () => {
    const { defaultAction, syscalls } = bundle.linux.seccomp as {
      defaultAction: string;
      syscalls: { names: string[]; action: string }[];
    };
    expect(defaultAction).toBe('SCMP_ACT_ERRNO');
    const allowed = new Set(syscalls.filter((it) => it.action === 'SCMP_ACT_ALLOW').flatMap((it) => it.names));
    for (const it of ['bpf', 'keyctl', 'add_key', 'io_uring_setup', 'perf_event_open', 'userfaultfd', 'kexec_load',
      'open_by_handle_at', 'init_module', 'finit_module', 'ptrace', 'process_vm_readv', 'swapon', 'reboot'])
      expect([it, allowed.has(it)]).toEqual([it, false]); // prettier-ignore
    expect(allowed.has('mount')).toBe(true);
  });
});

it('rooms have ids that no two of them share, within 32 bits', () => {
  const ranges = [0, 1, 999].flatMap((it) => idsOf(it)).sort((a, b) => a.hostID - b.hostID);
  for (const [index, { hostID, size }] of ranges.entries())
    expect(hostID + size).toBeLessThanOrEqual(ranges[index + 1]?.hostID ?? 2 ** 32 - 1);
  expect(rootOf(0)).toBe(2_000_000_000);
});

describe('in a user namespace', () => {
  it.each([
    ['         0          0 4294967295\n', undefined],
    ['0 1000000 65536\n', 65_536],
    ['0 1000 1\n1 100000 65536\n', 65_537],
    ['1 100000 65536\n0 1000 1\n', 65_537],
    ['0 1000 1\n5 100000 65536\n', 1],
    ['0 0 4294967294\n', 4_294_967_294],
  ])('%j has so many ids: %s', (map, ids) => {
    expect(idsIn(map)).toBe(ids);
  });

  it('rooms never have the ids of the builder, and ids of their own where there are enough', () => {
    expect([0, 1].map((it) => idsOf(it, 65_536))).toEqual(
      [0, 1].map(() => [{ containerID: 0, hostID: 1, size: 65_535 }]),
    );
    expect([0, 1, 2].map((it) => idsOf(it, 200_000)[0].hostID)).toEqual([1, 65_537, 131_073]);
    expect(idsOf(3, 200_000)).toEqual([{ containerID: 0, hostID: 1, size: 65_536 }]);
  });
});
