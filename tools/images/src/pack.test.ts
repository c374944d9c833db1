import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { testStack } from '@kiln/kit/testing';
import { root, runQuietly } from '@kiln/stack';

const project = join(testStack().dir, 'packed');

it('packs the compiled apps with production packages alone, and each app loads', async () => {
  rmSync(project, { recursive: true, force: true });
  await runQuietly([process.execPath, join(root, 'tools/bootstrap/pack.mjs'), project]);
  for (const app of ['api', 'builder', 'registrar', 'admin']) {
    const { stderr, status } = spawnSync(process.execPath, [join(project, `apps/${app}/dist/main.js`)], {
      encoding: 'utf8',
      env: { PATH: process.env['PATH'] },
    });
    expect({ app, status, stderr }).toEqual({
      app,
      status: 1,
      stderr: expect.stringContaining('settings are missing') as string,
    });
  }
  for (const it of ['node_modules/typescript', 'node_modules/jest', 'node_modules/react', 'libs/domain/src', 'tools'])
    expect({ it, exists: existsSync(join(project, it)) }).toEqual({ it, exists: false });
  const files = readdirSync(join(project, 'libs'), { recursive: true, encoding: 'utf8' });
  expect(files.filter((it) => /\.test\.|\.map$|\.d\.ts$/.test(it) && !it.includes('node_modules'))).toEqual([]);
  expect(existsSync(join(project, 'apps/console/dist/index.html'))).toBe(true);
}, 900_000);
