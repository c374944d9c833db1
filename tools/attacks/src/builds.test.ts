import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { provisionAccount } from '@kiln/stack';
import { openSignedClient } from '@kiln/stack/client';
import { findLeftovers, type TestKiln } from '@kiln/stack/testing';
import { attack, longTest, openAttackedKiln, openVictim, ownAddress } from './attacked-kiln.ts';

let kiln: TestKiln;
beforeAll(async () => {
  kiln = await openAttackedKiln();
});
afterAll(() => kiln.stop());

const isUsable = async (): Promise<void> => {
  const { State, Error: error, log } = await attack(kiln, 'RUN echo well');
  expect(`${State} ${JSON.stringify(error)} ${log}`).toMatch(/^succeeded/);
};

describe('using up what others need', () => {
  it('a fork bomb meets the limit on processes, and neighbours go on', async () => {
    const bomb = attack(kiln, 'RUN b() { b | b & }; b; sleep 4; exit 1');
    await isUsable();
    const { State, Error: error } = await bomb;
    expect(State).toBe('failed');
    expect(error.Code).toBe('ProcessLimitExceeded');
    expect(error.Message).toContain('48 processes');
  });

  it('a memory bomb is stopped at its limit, with peak and limit in the error', async () => {
    const { Error: error } = await attack(kiln, 'RUN head -c 900000000 /dev/zero | busybox tail -n 1 > /dev/null');
    expect(error).toMatchObject({ Code: 'OutOfMemory', Class: 'user', FirstLine: 2 });
    expect(error.Message).toMatch(/peak \d+ MiB of 256 MiB/);
  });

  it('a disk bomb is stopped at its limit', async () => {
    const { Error: error } = await attack(kiln, 'RUN dd if=/dev/zero of=/big bs=1M count=2000');
    expect(error).toMatchObject({ Code: 'DiskLimitExceeded', FirstLine: 2 });
    expect(error.Message).toContain('256 MiB');
  });

  it('an inode bomb is stopped at its limit', async () => {
    const { Error: error } = await attack(
      kiln,
      'RUN mkdir /d && cd /d && busybox seq 1 200000 | busybox xargs busybox touch',
    );
    expect(error).toMatchObject({ Code: 'DiskLimitExceeded' });
  });

  it('a step that never ends is stopped by its class, and told so', async () => {
    const { Error: error } = await attack(kiln, 'RUN trap "" TERM INT; while :; do sleep 1; done', {
      Resource: { EcsSpec: 'short' },
    });
    expect(error).toMatchObject({ Code: 'RunTimeout' });
    expect(error.Message).toContain('8 s');
  });

  longTest('an endless log is cut, and does not keep others from building', async () => {
    const noise = attack(kiln, 'RUN busybox yes 0123456789012345678901234567890123456789', {
      Resource: { EcsSpec: 'short' },
    });
    await isUsable();
    const { State, log } = await noise;
    expect(State).toBe('failed');
    expect(log.length).toBeLessThan(66 << 20);
  });

  it('processes that detach themselves end with the step’s build', async () => {
    const marker = `sleep 77${Math.floor(Math.random() * 100_000)}`;
    await attack(kiln, `RUN busybox setsid ${marker} & busybox setsid sh -c "trap '' TERM HUP; ${marker}" & echo left`);
    expect(await findLeftovers([kiln.env['KILN_BUILDER_DIR'] ?? ''])).toEqual([]);
  });
});

describe('reaching what stands behind', () => {
  const knock = (host: string, port: number) => `RUN echo | busybox nc -w 2 ${host} ${port}`;

  it('this machine’s loopback is another one inside', async () => {
    const victim = await openVictim();
    const { State, log } = await attack(kiln, knock('127.0.0.1', victim.port));
    victim.close();
    expect(State).toBe('failed');
    expect(log).not.toContain('inside');
    expect(victim.visits).toEqual([]);
  });

  it.each([
    ['this machine', ownAddress(), 9],
    ['metadata', '169.254.169.254', 80],
    ['a private network', '10.1.2.3', 443],
    ['a neighbour of this machine', '192.168.0.1', 22],
    ['a mail server', '203.0.113.80', 25],
  ])('%s is refused at once, and named in the error', async (_what, host, port) => {
    const { State, Error: error, log } = await attack(kiln, knock(host, port));
    expect([State, error.Code, error.Class]).toEqual(['failed', 'NetworkDenied', 'policy']);
    expect(error.Message).toContain(`${host} port ${port}/tcp`);
    expect(log).toContain(`kiln: refused: ${host} port ${port}/tcp`);
  });

  it('ADD obeys the same rules as RUN', async () => {
    const victim = await openVictim();
    const inside = await attack(kiln, `ADD http://127.0.0.1:${victim.port}/ /x`);
    const metadata = await attack(kiln, 'ADD http://169.254.169.254/latest/meta-data/ /x');
    victim.close();
    expect([inside.State, metadata.State]).toEqual(['failed', 'failed']);
    expect(victim.visits).toEqual([]);
    expect(metadata.Error).toMatchObject({ Code: 'NetworkDenied' });
  });

  it('the gateway to registries gives a step nothing, whatever it asks for and whoever it says it is', async () => {
    const [, digest = ''] = /is \S+@(sha256:\S+)/.exec((await attack(kiln, 'RUN true')).log) ?? [];
    const ask = (path: string, user = '') =>
      `busybox wget -q -O - http://${user}127.0.0.1:5000${path} 2>&1 || echo refused`;
    const paths = ['/v2/', `/v2/base/manifests/${digest}`, `/v2/base/blobs/${digest}`, '/v2/x/image/blobs/uploads/'];
    const asked = paths.flatMap((it) => [ask(it), ask(it, 'kiln:guess@')]);
    const { State, log } = await attack(kiln, `RUN ${asked.join('; ')}`);
    expect(State).toBe('succeeded');
    expect(log.match(/401 Unauthorized/g)).toHaveLength(asked.length);
    expect(log).not.toContain('schemaVersion');
  });

  it.each([
    ['127.0.0.1:9'],
    ['localhost:9'],
    ['169.254.169.254'],
    ['0x7f.1:9'],
    ['2130706433:9'],
    ['127.1:9'],
    ['017700000001:9'],
    ['0.0.0.0:9'],
  ])('FROM does not reach %s', async (host) => {
    const { ImageBuildId } = await kiln.submit(kiln.buildRequest(`FROM ${host}/a/b:c\n`));
    const { State, Error: error } = await kiln.ended(ImageBuildId);
    expect([State, error.Code]).toEqual(['failed', 'AddressNotAllowed']);
  });

  it.each([
    [
      { VpcId: 'vpc-corp', SecurityGroupId: 'sg', ExtendedCidrs: ['10.8.0.0/16'] },
      'UserVpc.ExtendedCidrs: 10.8.0.0/16 is not within',
    ],
    [
      { VpcId: 'vpc-corp', SecurityGroupId: 'sg', ExtendedCidrs: ['10.9.8.0/22'] },
      'UserVpc.ExtendedCidrs: 10.9.8.0/22 has to do with',
    ],
    [{ VpcId: 'vpc-corp', SecurityGroupId: 'none' }, 'UserVpc.SecurityGroupId: network vpc-corp has no group'],
    [{ VpcId: 'vpc-other', SecurityGroupId: 'sg' }, 'UserVpc.VpcId: there is no network "vpc-other"'],
    [{ VpcId: '__proto__', SecurityGroupId: 'sg' }, 'UserVpc.VpcId: there is no network'],
    [{ ExtendedCidrs: ['10.9.0.0/16'] }, 'UserVpc.ExtendedCidrs: 10.9.0.0/16 is not within what network default'],
  ])('%j is not the caller’s to decide', async (UserVpc, why) => {
    const body = kiln.buildRequest(`FROM ${kiln.base}\n`, { top: { UserVpc } });
    const answer = await kiln.pai('POST', '/api/v1/imagebuilds', { body });
    expect([answer.status, answer.body.Message]).toEqual([400, expect.stringContaining(why) as string]);
  });

  it('a request opens what its network lets it, and its group narrows the rest', async () => {
    const opened = await attack(kiln, knock('10.9.1.1', 80), {
      UserVpc: { VpcId: 'vpc-corp', SecurityGroupId: 'sg', ExtendedCidrs: ['10.9.1.0/24'] },
    });
    // Nobody need be there: the rules let it pass.
    expect(opened.Error?.Code).not.toBe('NetworkDenied');
    expect(opened.log).not.toContain('kiln: refused');
    const narrowed = await attack(kiln, knock('203.0.113.80', 80), {
      UserVpc: { VpcId: 'vpc-corp', SecurityGroupId: 'sg-mirror' },
    });
    expect(narrowed.Error).toMatchObject({ Code: 'NetworkDenied' });
    expect((await attack(kiln, knock('203.0.113.80', 80))).State).toBe('succeeded');
  });

  it.each([
    [{ EcsSpec: 'ecs.unknown.large' }, 'Resource.EcsSpec: there is no resource class'],
    [{ EcsSpec: '__proto__' }, 'Resource.EcsSpec: there is no resource class'],
    [{ ResourceConfig: { CPU: '9999' } }, 'Resource.ResourceConfig.CPU: must be at most 32'],
    [{ ResourceConfig: { Memory: '9Ti' } }, 'Resource.ResourceConfig.Memory: must be at most 256Gi'],
    [{ ResourceConfig: { Memory: '1Mi' } }, 'Resource.ResourceConfig.Memory: must be at least 64Mi'],
  ])('%j is not to be had', async (Resource, why) => {
    const body = kiln.buildRequest(`FROM ${kiln.base}\n`, { top: { Resource } });
    const answer = await kiln.pai('POST', '/api/v1/imagebuilds', { body });
    expect([answer.status, answer.body.Message]).toEqual([400, expect.stringContaining(why) as string]);
  });
});

describe('getting out', () => {
  it('root in a step is nobody outside, and may not make namespaces, mount or trace', async () => {
    const { State, log } = await attack(
      kiln,
      [
        'RUN cat /proc/self/uid_map && grep -E "^(NoNewPrivs|Seccomp|CapEff)" /proc/self/status',
        'RUN ! busybox unshare -U true && ! busybox unshare -m true && ! busybox mount -t tmpfs none /tmp',
        'RUN ! busybox mknod /d b 7 0 && ! dd if=/dev/mem of=/m count=1 && ! echo 1 > /proc/sys/kernel/panic',
      ].join('\n'),
    );
    expect(State).toBe('succeeded');
    const [, first] = /^\s*0\s+(\d+)\s+1048576$/m.exec(log) ?? [];
    expect(Number(first)).toBeGreaterThan(2_000_000_000);
    expect(log).toMatch(/Seccomp:\s*2/);
  });

  it('a step opens no raw socket, by which it could listen to what its room’s daemon says to the gateway', async () => {
    const { State, log } = await attack(
      kiln,
      'RUN busybox ping -c 1 -W 1 127.0.0.1 > /said 2>&1; cat /said; busybox grep -q "raw socket: " /said',
    );
    expect(`${State} ${log}`).toMatch(/^succeeded/);
  });

  it('links lead nowhere but into the image: COPY, WORKDIR, cache mounts, VOLUME', async () => {
    const marker = `/tmp/kiln-attack-${process.pid}`;
    writeFileSync(marker, 'of the host');
    const up = '../'.repeat(12);
    const { State, log } = await attack(
      kiln,
      [
        `RUN busybox ln -s ${up}tmp /up && busybox ln -s ${up}${marker.slice(1)} /leak && busybox ln -s /proc/1/root /proc1`,
        `WORKDIR /up/made-by-attack-${process.pid}`,
        `RUN --mount=type=cache,target=/up/cached echo x > /up/cached/attack-${process.pid}`,
        `RUN cat /leak /proc1${marker}; ls /proc1/kiln; echo the-end`,
        `FROM ${kiln.base}`,
        `COPY --from=0 /leak /leaked`,
      ].join('\n'),
    );
    // The last step copies a link that leads nowhere, or a link: either way nothing of the host.
    expect(['succeeded', 'failed']).toContain(State);
    expect(log).toMatch(/^the-end$/m);
    expect(log).not.toContain('of the host');
    expect(existsSync(`/tmp/made-by-attack-${process.pid}`)).toBe(false);
    expect(existsSync(`/tmp/cached/attack-${process.pid}`)).toBe(false);
    expect(existsSync(`/tmp/attack-${process.pid}`)).toBe(false);
    rmSync(marker);
  });

  it.each([
    ['RUN --mount=type=cache,from=oci:/etc,target=/x true', 'line 2: "oci:/etc" is not an image'],
    ['RUN --security=insecure true', 'line 2: RUN --security=insecure is not allowed'],
    ['RUN --network=host true', 'line 2: RUN --network=host is not allowed'],
    ['RUN --device=vendor.com/device=all true', 'line 2: RUN --device is not allowed'],
    ['COPY --from=dir:/etc /passwd /x', 'line 2: "dir:/etc" is not an image'],
    ['COPY --from=containers-storage:x / /x', 'line 2'],
  ])('%s is refused before anything runs', async (step, why) => {
    const answer = await kiln.pai('POST', '/api/v1/imagebuilds', {
      body: kiln.buildRequest(`FROM ${kiln.base}\n${step}\n`),
    });
    expect(answer.status).toBe(400);
    expect(answer.body.Message).toContain(why);
  });
});

describe('between accounts', () => {
  it('neither layers nor cache mounts nor files for a while are seen by others; one’s own are', async () => {
    const other = await provisionAccount(
      kiln.database.db,
      kiln.env.KILN_SEALING_KEY,
      `other-${Math.random()}`,
      kiln.stack.registryHost,
    );
    const stranger: TestKiln = { ...kiln, ...openSignedClient(kiln.url, other), account: other };
    // Its helpers sign as the first account: only the call itself is the stranger's.
    const build = async (by: TestKiln): Promise<string> => {
      const request = kiln.buildRequest(
        `FROM ${kiln.base}\nRUN echo layer > /layer\nRUN --mount=type=cache,id=shared,target=/c cat /c/* /tmp/left; mkdir -p /tmp; echo secret-of-${by.account.accountId} > /c/f; echo x > /tmp/left\n`,
        {
          top: {
            WorkspaceId: by.account.workspaceId,
            TargetRegistry: { Type: 'AcrEnterprise', InstanceId: by.account.connectionId },
          },
        },
      );
      const { body } = await by.pai('POST', '/api/v1/imagebuilds', { body: request });
      const id = String(body.ImageBuildId);
      const state = async () => String((await by.pai('GET', `/api/v1/imagebuilds/${id}`)).body.State);
      while (!['succeeded', 'failed'].includes(await state())) await new Promise((resolve) => setTimeout(resolve, 200));
      expect(await state()).toBe('succeeded');
      return (await by.pai('GET', `/api/v1/imagebuilds/${id}/logs`)).text;
    };
    const first = await build(kiln);
    expect(first).not.toContain('CACHED');
    expect(await build(kiln)).toContain('CACHED');
    const theirs = await build(stranger);
    expect(theirs).not.toContain('CACHED');
    expect(theirs.replaceAll(`echo secret-of`, '')).not.toContain(`secret-of-${kiln.account.accountId}`);
  });
});

describe('a registry that lies about a digest', () => {
  it('does not get a base that another registry gave to this builder', async () => {
    const [, secretBase = ''] = /is (\S+@sha256:\S+)/.exec((await attack(kiln, 'RUN true')).log) ?? [];
    const digest = secretBase.split('@')[1] ?? '';
    const asked: string[] = [];
    const liar = createServer((req, res) => {
      asked.push(`${req.method} ${req.url}`);
      res.writeHead(req.method === 'HEAD' ? 200 : 404, { 'docker-content-digest': digest }).end();
    });
    await new Promise<void>((resolve) => liar.listen(0, '127.0.0.1', resolve));
    const host = `127.0.0.1:${(liar.address() as AddressInfo).port}`;
    const trusting = await openAttackedKiln({ env: { KILN_OPEN_ADDRESSES: `${host},${kiln.stack.registryHost}` } });
    try {
      await trusting.trustPlainHttp(host);
      expect((await attack(trusting, 'RUN true')).State).toBe('succeeded');
      const { ImageBuildId } = await trusting.submit(trusting.buildRequest(`FROM ${host}/x/y:z\nRUN echo got in\n`));
      expect(await trusting.ended(ImageBuildId)).toMatchObject({ State: 'failed' });
      expect(await trusting.logs(ImageBuildId)).not.toContain('got in');
      expect(asked.some((it) => it.startsWith('GET') && it.includes(digest))).toBe(true);
    } finally {
      await trusting.stop();
      liar.closeAllConnections();
      liar.close();
    }
  });
});
