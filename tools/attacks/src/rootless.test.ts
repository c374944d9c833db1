import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { appUrls, asRoot, logTail, type Managed, root, runQuietly, startProcess } from '@kiln/stack';
import { openTestKiln, type TestKiln } from '@kiln/stack/testing';

const uid = 64_999;

let kiln: TestKiln;
let dir: string;
const started: Managed[] = [];
beforeAll(async () => {
  kiln = await openTestKiln({ apps: ['registrar'] });
  dir = mkdtempSync(join(tmpdir(), 'kiln-rootless-'));
  await runQuietly(asRoot(['chown', `${uid}:${uid}`, dir]));
}, 60_000);
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

it('a builder without privileges takes no builds of strangers, and says what it does not enforce', async () => {
  const builder = startRootless('untrusted');
  expect(await builder.ended).not.toBe(0);
  expect(logTail(builder)).toContain(
    'the jail \\"rootless\\" does not enforce own users, own network, memory, cpu, pids, disk',
  );
}, 60_000);

it('it builds for tenants that are trusted: bases, steps, layers that are there, and the push', async () => {
  const builder = startRootless('trusted');
  await builder.logged('"jail":"rootless"');
  const dockerfile = [
    `FROM ${kiln.base} AS one`,
    'RUN id -u > /who && echo some > /file && busybox chown 1000:1000 /file',
    `FROM ${kiln.base}`,
    'COPY --from=one /file /who /from/',
    'RUN busybox ls -ln /from && test "$(busybox cat /from/who)" = 0',
    '',
  ].join('\n');
  for (const cached of [false, true]) {
    const { ImageBuildId } = await kiln.submit(kiln.buildRequest(dockerfile));
    const { State, Error: error } = await kiln.ended(ImageBuildId);
    expect([State, error]).toEqual(['succeeded', undefined]);
    expect((await kiln.logs(ImageBuildId)).includes('Using cache')).toBe(cached);
  }
  // Nobody's files: root inside is the user, others are its subordinate ids.
  const owners = await runQuietly(asRoot(['sh', '-c', `find ${dir}/builder -printf '%U\\n' | sort -un`]));
  for (const it of owners.trim().split('\n').map(Number))
    expect(it === uid || (it >= 1_900_000_000 && it < 1_900_065_536)).toBe(true);
}, 120_000);

it('an endless step is stopped with all that it started', async () => {
  const marker = `sleep 88${Math.floor(Math.random() * 100_000)}`;
  const { ImageBuildId } = await kiln.submit(
    kiln.buildRequest(`FROM ${kiln.base}\nRUN busybox setsid ${marker} & echo begun; ${marker}\n`),
  );
  while (!(await kiln.logs(ImageBuildId)).includes('begun\n')) await new Promise((resolve) => setTimeout(resolve, 100));
  await kiln.pai('POST', `/api/v1/imagebuilds/${ImageBuildId}/cancel`);
  expect((await kiln.ended(ImageBuildId)).State).toBe('cancelled');
  expect(await runQuietly(['sh', '-c', `pgrep -xf '${marker}' || true`])).toBe('');
}, 60_000);
