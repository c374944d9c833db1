import { spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { chmodSync, mkdtempSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { appUrls, asRoot, logTail, type Managed, root, runQuietly, startProcess } from '@kiln/stack';
import { openTestKiln, openUserNamespace, type TestKiln, type UserNamespace } from '@kiln/stack/testing';
import { eventually } from '@kiln/kit/testing';

const uid = 64_999;

let kiln: TestKiln;
let dir: string;
const started: Managed[] = [];
beforeAll(async () => {
  kiln = await openTestKiln({ apps: ['registrar'] });
  dir = mkdtempSync(join(tmpdir(), 'kiln-rootless-'));
  await runQuietly(asRoot(['chown', `${uid}:${uid}`, dir]));
});
afterAll(async () => {
  for (const it of started) await it.stop();
  await kiln.stop();
  await runQuietly(asRoot(['rm', '-rf', dir]));
});

/** A builder as an ordinary user with subordinate ids, whom only its own mount namespace knows. */
function startRootless(tenants: 'trusted' | 'untrusted'): Managed {
  const script = [
    'set -e',
    `(cat /etc/passwd; echo 'kiln-rootless:x:${uid}:${uid}::${dir}:/bin/sh') > ${dir}/passwd`,
    `echo 'kiln-rootless:1900000000:65536' > ${dir}/subids`,
    `mount --bind ${dir}/passwd /etc/passwd`,
    `for it in subuid subgid; do mount --bind ${dir}/subids /etc/$it; done`,
    // The checkout may lie where others cannot go.
    `mount --bind ${root} /mnt`,
    `exec setpriv --reuid=${uid} --regid=${uid} --clear-groups -- "$@"`,
  ].join('\n');
  const env = {
    ...kiln.env,
    ...appUrls(kiln.env, 'builder'),
    KILN_BUILDER_DIR: join(dir, 'builder'),
    KILN_BUILDER_TENANTS: tenants,
  };
  const command = ['unshare', '--mount', 'sh', '-c', script, 'sh', process.execPath, '/mnt/apps/builder/dist/main.js'];
  const it = startProcess(join(kiln.env['KILN_BUILDER_DIR'] ?? '', '..'), `rootless-${tenants}`, asRoot(command), {
    env,
  });
  started.push(it);
  return it;
}

it('a builder without privileges does not start, and says what it needs', async () => {
  const builder = startRootless('trusted');
  expect(await builder.ended).not.toBe(0);
  expect(logTail(builder)).toContain('it needs root');
});

describe('a builder in a user namespace', () => {
  let place: UserNamespace;
  let folder: string;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'kiln-namespace-'));
    chmodSync(folder, 0o777);
    place = await openUserNamespace(65_536, folder, kiln);
  });
  afterAll(async () => {
    // The servers' end waits for its connections.
    for (const it of started) await it.stop();
    await place.close();
    await runQuietly(asRoot(['rm', '-rf', folder]));
  });
  const start = (tenants: 'trusted' | 'untrusted', more: Record<string, string> = {}): Managed => {
    const env = {
      ...kiln.env,
      ...appUrls(kiln.env, 'builder'),
      KILN_BUILDER_DIR: join(folder, 'builder'),
      KILN_CONTEXT_DIR: join(folder, 'contexts'),
      KILN_BUILDER_TENANTS: tenants,
      ...more,
    };
    const command = [...place.command, process.execPath, join(root, 'apps/builder/dist/main.js')];
    const it = startProcess(join(kiln.env['KILN_BUILDER_DIR'] ?? '', '..'), `namespace-${tenants}`, command, {
      env,
      graceMs: 0,
    });
    started.push(it);
    return it;
  };

  it('takes no builds of strangers, and names what it does not enforce', async () => {
    const builder = start('untrusted');
    expect(await builder.ended).toBe(1);
    expect(logTail(builder)).toContain('does not enforce own users, memory, cpu, pids, disk here');
  });

  it('builds, uses its cache, ends what is cancelled, and shows a step nothing of other processes', async () => {
    const builder = start('trusted');
    await builder.logged('"ready"');
    const build = async (dockerfile: string) => {
      const { ImageBuildId } = await kiln.submit(kiln.buildRequest(dockerfile));
      return { build: await kiln.ended(ImageBuildId), log: await kiln.logs(ImageBuildId) };
    };
    const dockerfile = `FROM ${kiln.base}
RUN echo ${randomUUID()} > /a && chown 1000:65533 /a && ls -ln /a && echo processes: $(ls -d /proc/[0-9]* | wc -l)
`;
    const first = await build(dockerfile);
    expect([first.build.State, first.build.Error, first.log]).toEqual(['succeeded', undefined, first.log]);
    expect(first.log).toMatch(/1000\s+65533 .*\/a/);
    expect(Number(/processes: (\d+)/.exec(first.log)?.[1])).toBeLessThan(6);
    const second = await build(dockerfile);
    expect(second.build).toMatchObject({ State: 'succeeded' });
    expect(second.log).toContain('CACHED');

    const sleep = `sleep 97${Math.floor(Math.random() * 10_000)}`;
    const { ImageBuildId } = await kiln.submit(kiln.buildRequest(`FROM ${kiln.base}\nRUN echo begun; ${sleep}\n`));
    await eventually(async () => (await kiln.logs(ImageBuildId)).includes('begun') || undefined, 'the step');
    await kiln.pai('POST', `/api/v1/imagebuilds/${ImageBuildId}/cancel`);
    expect(await kiln.ended(ImageBuildId)).toMatchObject({ State: 'cancelled' });
    const running = () => spawnSync('pgrep', ['-f', `^${sleep}`]).stdout.toString();
    await eventually(() => running() === '' || undefined, 'the end of the step');
    await builder.stop();
  });

  it('outlives files of a build that lie deeper than a path is long, and removes them', async () => {
    const builder = start('trusted', { KILN_LAYER_CACHE_BYTES: '0', KILN_BUILDER_DIR: join(folder, 'other') });
    await builder.logged('"ready"');
    // Each time, all that is there goes into a new folder: no path on the way is long.
    const deep = 'i=0; while [ $i -lt 40 ]; do mkdir t && mv $n t/ && mv t $n || exit 1; i=$((i + 1)); done';
    const dockerfile = `FROM ${kiln.base}\nRUN --mount=type=cache,target=/c cd /c; n=${'d'.repeat(200)}; mkdir -p $n; ${deep}\n`;
    for (let n = 0; n < 2; n += 1) {
      const { ImageBuildId } = await kiln.submit(kiln.buildRequest(dockerfile));
      expect(await kiln.ended(ImageBuildId)).toMatchObject({ State: 'succeeded' });
    }
    await eventually(() => readdirSync(join(folder, 'other/store/rooms')).length === 0 || undefined, 'its end');
  });
});
