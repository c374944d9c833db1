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

it('a builder without privileges does not start, and says what it needs', async () => {
  const builder = startRootless('trusted');
  expect(await builder.ended).not.toBe(0);
  expect(logTail(builder)).toContain('it needs root');
}, 60_000);
