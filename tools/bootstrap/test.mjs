// Installs, builds, checks and tests everything on real servers; ends with "N passed, N failed".
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { prepare, root } from './prepare.mjs';

prepare();
const ran = spawnSync(process.execPath, [join(root, 'tools/test/dist/main.js'), ...process.argv.slice(2)], {
  cwd: root,
  stdio: 'inherit',
});
process.exit(ran.status ?? 1);
