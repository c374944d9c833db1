import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { abilities, openLauncher } from '@kiln/engine';
import { testStack } from '@kiln/kit/testing';
import { logTail, root, startApp } from '@kiln/stack';
import { openTestKiln } from '@kiln/stack/testing';

const dir = join(testStack().dir, `jails-${randomUUID().slice(0, 8)}`);
const launcher = join(root, 'libs/engine/launcher/kiln-jail.pl');

/** A jail that an operator would name: it does what the launcher does, and says what it enforces. */
function external(enforces: readonly string[]): string {
  mkdirSync(dir, { recursive: true });
  const file = join(dir, `jail-${enforces.length}`);
  const said = enforces.map((it) => `echo '${it}'`).join('; ');
  writeFileSync(
    file,
    `#!/bin/sh\nif [ "$1" = --abilities ]; then ${said}; exit; fi\nexec /usr/bin/perl ${launcher} "$@"\n`,
  );
  chmodSync(file, 0o755);
  return file;
}

it('the launcher enforces everything on this machine', async () => {
  const { enforces } = await openLauncher({ storeDir: join(dir, 'store') }).check();
  expect(enforces).toEqual([...abilities]);
});

it('a jail of another kind builds, too', async () => {
  const kiln = await openTestKiln({ env: { KILN_JAIL_COMMAND: external(abilities) } });
  try {
    const { ImageBuildId } = await kiln.submit(kiln.buildRequest(`FROM ${kiln.base}\nRUN echo in there\n`));
    expect(await kiln.ended(ImageBuildId)).toMatchObject({ State: 'succeeded' });
    await kiln.running('builder').logged('"jail":"external"');
  } finally {
    await kiln.stop();
  }
}, 60_000);

it.each([
  ['does not enforce everything', () => external(['own users', 'time']), 'does not enforce own processes'],
  ['cannot work here', () => '/bin/false', 'cannot work here'],
])(
  'with a jail that %s, a builder for strangers does not start, and says why',
  async (_what, program, why) => {
    const kiln = await openTestKiln({ apps: [] });
    try {
      const builder = startApp(join(kiln.env['KILN_BUILDER_DIR'] ?? '', '..'), 'builder', {
        ...kiln.env,
        KILN_JAIL_COMMAND: program(),
      });
      expect(await builder.ended).not.toBe(0);
      expect(logTail(builder)).toContain(why);
    } finally {
      await kiln.stop();
    }
  },
  60_000,
);

it.each([
  [['--dir', '/tmp/../etc'], '--dir has a wrong value'],
  [['--cgroup', 'a; rm -rf /'], '--cgroup has a wrong value'],
  [['--memory', '1e9'], '--memory has a wrong value'],
  [['--allow', '10.0.0.0/8; flush ruleset'], '--allow has a wrong value'],
  [['--dir', '/tmp/a', '--dir', '/tmp/b'], '--dir is given twice'],
  [['--shell', 'x'], 'there is no option --shell'],
  [['--dir', '/tmp/a\n'], '--dir has a wrong value'],
  [[], '--dir is missing'],
])('the launcher refuses %j', async (args, why) => {
  const said = await new Promise<string>((resolve) =>
    execFile('/usr/bin/perl', [launcher, ...args], (_error, _out, err) => resolve(err)),
  );
  expect(said).toContain(why);
});
