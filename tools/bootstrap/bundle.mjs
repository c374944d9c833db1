// node bundle.mjs [APP …]: makes one file of each app, apps/APP/dist/main.js, of what the compiler wrote and of the
// packages that it uses: one file loads in half the time of two thousand.
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { build } from 'esbuild';
import { root } from './prepare.mjs';

const given = process.argv.slice(2);
const apps = given.length > 0 ? given : ['api', 'builder', 'registrar', 'admin'];

// Modules that look for files beside themselves find them where they were before.
const places = {
  name: 'places',
  setup({ onLoad }) {
    const itself = /\bimport\.meta\.(?:dirname|filename|url)\b|\b__(?:dir|file)name\b/g;
    onLoad({ filter: /\.[cm]?js$/ }, async ({ path }) => {
      const text = await readFile(path, 'utf8');
      if (text.search(itself) < 0) return undefined;
      const place = JSON.stringify(relative(root, path));
      const which = (it) => (it.endsWith('url') ? 'kilnUrlOf' : it.includes('dir') ? 'kilnFolderOf' : 'kilnPathOf');
      return { contents: text.replace(itself, (it) => `${which(it)}(${place})`), loader: 'js' };
    });
  },
};
const banner = `
import { createRequire as kilnCreateRequire } from 'node:module';
import { dirname as kilnDirname, join as kilnJoin } from 'node:path';
import { pathToFileURL as kilnToUrl } from 'node:url';
const require = kilnCreateRequire(import.meta.url);
const kilnPathOf = (place) => kilnJoin(import.meta.dirname, '../../..', place);
const kilnFolderOf = (place) => kilnDirname(kilnPathOf(place));
const kilnUrlOf = (place) => kilnToUrl(kilnPathOf(place)).href;
`;

const mainOf = (app) => `apps/${app}/dist/main.js`;
const listOf = (app) => join(root, `apps/${app}/dist/main.inputs.json`);

/** Whether nothing that an app was made of has changed since. */
function isFresh(app) {
  if (!existsSync(join(root, mainOf(app))) || !existsSync(listOf(app))) return false;
  const madeMs = statSync(join(root, mainOf(app))).mtimeMs;
  return JSON.parse(readFileSync(listOf(app), 'utf8')).every((it) => {
    const found = statSync(join(root, it), { throwIfNoEntry: false });
    return found !== undefined && found.mtimeMs < madeMs;
  });
}

const stale = apps.filter((it) => !isFresh(it));
if (stale.length > 0) {
  const { metafile } = await build({
    absWorkingDir: root,
    // All at once: what they share is read once.
    entryPoints: stale.map((app) => ({ in: `apps/${app}/dist/program.js`, out: `${app}/dist/main` })),
    outdir: 'apps',
    bundle: true,
    metafile: true,
    platform: 'node',
    format: 'esm',
    target: 'node20.19',
    plugins: [places],
    // Compiled for a machine, or not there at all.
    external: ['*.node', 'cpu-features', 'pg-native'],
    banner: { js: banner },
    legalComments: 'none',
    logLevel: 'warning',
  });
  for (const app of stale) {
    const inputs = Object.keys(metafile.outputs[mainOf(app)].inputs).filter((it) => existsSync(join(root, it)));
    writeFileSync(listOf(app), JSON.stringify([...inputs, 'package-lock.json', 'tools/bootstrap/bundle.mjs']));
  }
}
