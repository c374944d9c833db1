import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { eventually, testsAll } from '@kiln/kit/testing';
import { findLeftovers } from '@kiln/stack/testing';
import { attack, openAttackedKiln } from './attacked-kiln.ts';

/** The links of a builder's rooms: each room's folder begins with its number. A link lives as long as its network. */
const linksOf = (builderDir: string): string[] =>
  readdirSync(join(builderDir, 'store/rooms'))
    .map((it) => `/sys/class/net/kv${it.split('-')[0]}`)
    .filter((it) => existsSync(it));

it('many builds, good, bad and stopped, leave no process, mount, cgroup, network or device', async () => {
  // Engines that wait for the account's next build are not left over.
  const kiln = await openAttackedKiln({ env: { KILN_WARM_ROOMS: '0' } });
  const builderDir = kiln.env['KILN_BUILDER_DIR'] ?? '';
  try {
    const count = testsAll ? 100 : 9;
    for (let n = 0; n < count; n += 3) {
      const stopped = await kiln.submit(
        kiln.buildRequest(`FROM ${kiln.base}\nRUN sleep 60\n`, { top: { Resource: { EcsSpec: 'small' } } }),
      );
      await Promise.all([attack(kiln, `RUN echo ${n}`), attack(kiln, `RUN echo ${n} && false`)]);
      await kiln.pai('POST', `/api/v1/imagebuilds/${stopped.ImageBuildId}/cancel`);
      expect(await kiln.ended(stopped.ImageBuildId)).toMatchObject({ State: 'cancelled' });
    }
    expect(readdirSync(join(builderDir, 'store/rooms')).length).toBeGreaterThan(0);
    expect(await findLeftovers([builderDir], true)).toEqual([]);
    await eventually(() => linksOf(builderDir).length === 0 || undefined, 'the end of the network');
  } finally {
    await kiln.stop();
  }
}, 600_000);
