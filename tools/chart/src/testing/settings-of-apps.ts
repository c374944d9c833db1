import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './helm.ts';

const folders = [
  'libs/kit/src',
  'libs/kit/src/observability',
  'libs/usecases/src',
  'apps/api/src',
  'apps/builder/src',
  'apps/registrar/src',
];

/** Sources where apps name their settings. */
const sources = folders
  .flatMap((folder) =>
    readdirSync(join(root, folder))
      .filter((it) => it.endsWith('.ts') && !it.includes('.test.'))
      .map((it) => join(root, folder, it)),
  )
  .map((file) => readFileSync(file, 'utf8'));

const namesIn = (text: string): string[] => [...text.matchAll(/^\s*(KILN_[A-Z0-9_]+):/gm)].map(([, name = '']) => name);

/** The names in a group of settings: `export const NAME = { … }` of whichever source has it. */
function namesOfGroup(group: string): string[] {
  const source = sources.find((it) => it.includes(`export const ${group} = {`));
  if (source === undefined) throw new Error(`no source has the settings ${group}`);
  const [, rest = ''] = source.split(`export const ${group} = {`);
  return namesIn(`\n${rest.split('\n}')[0]?.replaceAll(/[{,]\s*(?=KILN_)/g, '\n') ?? ''}`);
}

/** Settings that an app reads, as its program.ts says. */
export function settingsOf(app: string): Set<string> {
  const main = join(root, `apps/${app}/src/program.ts`);
  if (!existsSync(main)) throw new Error(`there is no app ${app}`);
  const text = readFileSync(main, 'utf8');
  const schema = /readConfig\(\s*z\.object\(\{([\s\S]*?)\n {2}\}\),?\s*\)/.exec(text)?.[1];
  if (schema === undefined) throw new Error(`${main} reads no settings`);
  const groups = [...schema.matchAll(/\.\.\.(\w+Settings)\b/g)].map(([, name = '']) => name);
  return new Set([...namesIn(schema), ...groups.flatMap(namesOfGroup)]);
}
