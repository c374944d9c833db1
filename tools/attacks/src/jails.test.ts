import { logTail, startApp } from '@kiln/stack';
import { openTestKiln } from '@kiln/stack/testing';
import { join } from 'node:path';

it.each([
  ['whose engine is not there', { KILN_ENGINE_ROOT: '/nowhere' }, 'there is no buildkitd and no dockerd in /nowhere'],
  ['whose runtime cannot run a bundle', { KILN_OCI_RUNTIME: '/bin/false' }, 'cannot work here'],
])(
  'a builder %s does not start, and says why',
  async (_what, env, why) => {
    const kiln = await openTestKiln({ apps: [] });
    try {
      const dir = join(kiln.env['KILN_BUILDER_DIR'] ?? '', '..');
      const builder = startApp(dir, 'builder', { ...kiln.env, ...env });
      expect(await builder.ended).not.toBe(0);
      expect(logTail(builder)).toContain(why);
    } finally {
      await kiln.stop();
    }
  },
  60_000,
);
