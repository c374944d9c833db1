import { parseDockerfile } from '@kiln/domain';
import { pinBases } from './pin-bases.ts';

const digest = `sha256:${'a'.repeat(64)}`;
const base = (name: string, platform = 'linux/amd64') => ({ name, platform, id: `host/x@${digest}` });
const pinned = (dockerfile: string, ...names: string[]) => {
  const bases = names.map((it) => base(it));
  const found = pinBases(dockerfile, parseDockerfile(dockerfile), bases);
  return { text: found.dockerfile, bases: found.bases.map((it) => it.name) };
};

it.each([
  ['FROM nginx AS nginx\nCOPY --from=x a /', 'nginx', `FROM nginx@${digest} AS nginx\nCOPY --from=x a /`],
  ['FROM nginx:latest as Nginx\n', 'nginx:latest', `FROM nginx@${digest} as Nginx\n`],
  ['ARG B=node\nFROM --platform=linux/amd64 $B \\\n AS node\n', 'node', `ARG B=node\nFROM --platform=linux/amd64 node@${digest} \\\n AS node\n`],
  ['FROM a AS x\nFROM x AS a\nFROM a', 'a', `FROM a@${digest} AS x\nFROM x AS a\nFROM a`],
])('%j names its base by digest', (text, name, expected) => {
  expect(pinned(text, name)).toEqual({ text: expected, bases: [`${name.split(':')[0]}@${digest}`] });
}); // prettier-ignore

it.each([
  ['FROM nginx:1 AS nginx', 'nginx:1'],
  ['FROM host/nginx AS nginx', 'host/nginx'],
  ['FROM nginx AS web\nFROM web', 'nginx'],
])('%j stays as it is', (text, name) => {
  expect(pinned(text, name)).toEqual({ text, bases: [name] });
});
