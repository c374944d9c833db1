// The operator's commands, on the database that the environment names, or else on that of `npm start`.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkNode, root } from './prepare.mjs';

checkNode();
const main = join(root, 'apps/admin/dist/main.js');
const state = join(process.env.KILN_DIR ?? join(root, '.kiln'), 'local/environment.json');
if (!process.env.KILN_DATABASE_URL && existsSync(state))
  Object.assign(process.env, JSON.parse(readFileSync(state, 'utf8')));
if (!existsSync(main)) {
  console.error('Kiln is not built yet; run "npm start" once, or "npm ci && npm run build".');
  process.exit(1);
}
await import(main);
