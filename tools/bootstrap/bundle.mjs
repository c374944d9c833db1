// node bundle.mjs [APP …]: makes one file of each app, apps/APP/dist/main.js, of what the compiler wrote and of the
// packages that it uses, and one beside it of each part that is loaded when it is needed: one file loads in half the
// time of two thousand.
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { build, transform } from 'esbuild';
import { apps, root } from './prepare.mjs';

const given = process.argv.slice(2);

// Modules that look for files beside themselves find them where they were before.
const itself = {
  __filename: 'kilnPath',
  __dirname: 'kilnFolder',
  'import.meta.filename': 'kilnPath',
  'import.meta.dirname': 'kilnFolder',
  'import.meta.url': 'kilnUrl',
};
const places = {
  name: 'places',
  setup({ onLoad }) {
    onLoad({ filter: /\.[cm]?js$/ }, async ({ path }) => {
      const text = await readFile(path, 'utf8');
      if (!Object.keys(itself).some((it) => text.includes(it))) return undefined;
      const { code } = await transform(text, { define: itself, loader: 'js' });
      const place = `const [kilnPath, kilnFolder, kilnUrl] = kilnPlaceOf(${JSON.stringify(relative(root, path))});`;
      return { contents: code.startsWith('"use strict";') ? `"use strict";${place}${code}` : `${place}${code}` };
    });
  },
};
const banner = `
import { createRequire as kilnCreateRequire } from 'node:module';
import { dirname as kilnDirname, join as kilnJoin } from 'node:path';
import { pathToFileURL as kilnToUrl } from 'node:url';
const require = kilnCreateRequire(import.meta.url);
const kilnPlaceOf = (place) => {
  const path = kilnJoin(import.meta.dirname, '../../..', place);
  return [path, kilnDirname(path), kilnToUrl(path).href];
};
`;

const mainOf = (app) => `apps/${app}/dist/main.js`;
const listOf = (app) => join(root, `apps/${app}/dist/main.inputs.json`);

/** Whether nothing that an app was made of has changed since. */
function isFresh(app) {
  if (!existsSync(join(root, mainOf(app))) || !existsSync(listOf(app))) return false;
  const { digest, inputs } = JSON.parse(readFileSync(listOf(app), 'utf8'));
  return inputs.every((it) => existsSync(join(root, it))) && digestOf(inputs) === digest;
}

/** By what is in the files: Nx writes them anew with what was there. */
function digestOf(inputs) {
  const hash = createHash('sha256');
  for (const it of inputs) hash.update(`${it}\0`).update(readFileSync(join(root, it)));
  return hash.digest('hex');
}

const stale = (given.length > 0 ? given : apps).filter((it) => !isFresh(it));
await Promise.all(stale.map(bundle));

async function bundle(app) {
  const dist = `apps/${app}/dist`;
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: [{ in: `${dist}/program.js`, out: 'main' }],
    outdir: dist,
    // What is imported only when it is needed is a file of its own, which is not read before. It should be a module of
    // ours: a package of CommonJS has no named exports there.
    splitting: true,
    chunkNames: 'main-[hash]',
    bundle: true,
    keepNames: true,
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
  for (const it of readdirSync(join(root, dist)).filter((name) => /^main-\w+\.js$/.test(name)))
    if (!(`${dist}/${it}` in metafile.outputs)) rmSync(join(root, dist, it));
  const inputs = Object.keys(metafile.inputs).filter((it) => existsSync(join(root, it)));
  inputs.push('package-lock.json', 'tools/bootstrap/bundle.mjs');
  writeFileSync(listOf(app), JSON.stringify({ digest: digestOf(inputs), inputs }));
}
