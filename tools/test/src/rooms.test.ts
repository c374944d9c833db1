import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '@kiln/stack';
import { format } from 'prettier';

// The table of rooms in docs/ARCHITECTURE.md says what packages really import: ESLint holds their dependencies to their
// imports.
const document = join(root, 'docs/ARCHITECTURE.md');
const [begin, end] = ['<!-- rooms: begin -->', '<!-- rooms: end -->'];

interface Package {
  name: string;
  description: string;
  dependencies?: Record<string, string>;
}

const rooms = ['libs', 'apps', 'tools']
  .flatMap((folder) => readdirSync(join(root, folder)).map((it) => `${folder}/${it}`))
  .filter((it) => existsSync(join(root, it, 'package.json')))
  .map((path) => ({ path, ...(JSON.parse(readFileSync(join(root, path, 'package.json'), 'utf8')) as Package) }));

/** The rooms that a room imports from, without the name of the workspace. */
const importsOf = ({ dependencies = {} }: Package): string[] =>
  Object.keys(dependencies)
    .filter((it) => it.startsWith('@kiln/'))
    .map((it) => it.slice('@kiln/'.length));

/** From left to right: each imports from those before it. */
function inOrder(): typeof rooms {
  const done: typeof rooms = [];
  const left = [...rooms];
  while (left.length > 0) {
    const next = left.findIndex((it) =>
      importsOf(it).every((name) => done.some((room) => room.name === `@kiln/${name}`)),
    );
    if (next === -1) throw new Error(`in a circle: ${left.map((it) => it.path).join(', ')}`);
    done.push(...left.splice(next, 1));
  }
  return done;
}

it('the table of rooms is what the packages import', async () => {
  const rows = inOrder().map((it) => `| \`${it.path}\` | ${it.description} | ${importsOf(it).join(', ') || '–'} |`);
  const table = await format(['| room | holds | imports from |', '| --- | --- | --- |', ...rows].join('\n'), {
    parser: 'markdown',
  });
  const text = readFileSync(document, 'utf8');
  const [before, rest] = text.split(begin);
  const after = rest?.split(end)[1];
  const written = `${before}${begin}\n\n${table}\n${end}${after}`;
  if (process.env['KILN_WRITE_DOCS'] === '1') writeFileSync(document, written);
  else expect(text).toBe(written);
});
