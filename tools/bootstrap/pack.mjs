// node pack.mjs OUT: writes what an image of Kiln holds into an empty folder: the compiled apps and libs, and the
// packages that they need in production. The checkout has been built before.
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { apps, root } from './prepare.mjs';

const [given] = process.argv.slice(2);
if (given === undefined) {
  console.error('give the folder to write to: node tools/bootstrap/pack.mjs OUT');
  process.exit(2);
}
const out = resolve(given);
mkdirSync(out, { recursive: true });
if (readdirSync(out).length > 0) {
  console.error(`${out} is not empty`);
  process.exit(2);
}
const folders = (room) =>
  readdirSync(join(root, room))
    .map((it) => `${room}/${it}`)
    .filter((it) => existsSync(join(root, it, 'package.json')));
const copy = (path, filter = () => true) => {
  if (existsSync(join(root, path))) cpSync(join(root, path), join(out, path), { recursive: true, filter });
};
// Neither tests, nor what is for the compiler or for people.
const isRun = (path) => !/\.test\.|\/testing(\/|$)|\.map$|\.d\.ts$|\.tsbuildinfo$/.test(path.slice(root.length));

execFileSync(process.execPath, [join(root, 'tools/bootstrap/bundle.mjs')], { stdio: 'inherit' });
const installed = ['package.json', 'package-lock.json', '.npmrc'];
installed.forEach((it) => copy(it));
for (const it of [...folders('apps'), ...folders('libs')]) {
  copy(`${it}/package.json`);
  copy(`${it}/dist`, isRun);
  for (const extra of ['migrations', 'jail', 'proto', 'profiles']) copy(`${it}/${extra}`);
}
const only = apps.flatMap((it) => ['-w', `@kiln/${it}`]);
execFileSync('npm', ['ci', '--omit=dev', '--no-audit', '--no-fund', ...only], { cwd: out, stdio: 'inherit' });
// A package names typescript as something that it could use, which nothing here does.
for (const it of ['typescript', '.bin/tsc', '.bin/tsserver'])
  rmSync(join(out, 'node_modules', it), { recursive: true, force: true });
for (const it of installed.slice(1)) rmSync(join(out, it), { force: true });
