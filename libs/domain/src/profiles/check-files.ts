import { findProgram, lookUp, pathOf } from '../facts/root-tree.ts';
import { type InspectedImage, programOf } from '../facts/image-facts.ts';
import { fail, type Finding, missing, notApplicable, pass, unknown } from './findings.ts';
import type { Check } from './profile.ts';

type Of<K extends Check['kind']> = Extract<Check, { kind: K }>;

export function checkNoFile({ tree }: InspectedImage, { paths }: Of<'no-file'>): Finding {
  const unwanted = new RegExp(paths.map((it) => `(?:${it})`).join('|'));
  const found = [...tree.entries.values()].filter((it) => it.type !== 'folder' && unwanted.test(`/${it.path}`));
  const [first] = found;
  if (!first) return tree.cut ? unknown('none was found, and not all files are looked at') : pass('none is there');
  return fail(`/${first.path}${found.length > 1 ? ` and ${found.length - 1} more` : ''}`, first);
}

export function checkEmpty({ tree }: InspectedImage, { folders }: Of<'empty'>): Finding {
  for (const folder of folders) {
    const below = `${folder.replace(/^\/|\/$/g, '')}/`;
    const found = [...tree.entries.values()].find((it) => it.path.startsWith(below));
    if (found) return fail(`${folder} is not free: /${found.path}`, found);
  }
  return tree.cut ? unknown('nothing was found, and not all files are looked at') : pass(`${folders.join(', ')} free`);
}

export function checkFile({ tree }: InspectedImage, { paths }: Of<'file'>): Finding {
  const lacking = paths.filter((it) => !lookUp(tree, it));
  return lacking.length === 0 ? pass(`${paths.join(', ')}`) : missing(`${lacking.join(', ')} is not there`, tree);
}

export function checkPrograms({ tree, facts }: InspectedImage, { names }: Of<'programs'>): Finding {
  const at = { env: facts.config.env, workingDir: facts.config.workingDir || '/' };
  const lacking = names.filter((it) => !findProgram(tree, it, at));
  return lacking.length === 0
    ? pass(`${names.join(', ')} on PATH`)
    : missing(`PATH (${pathOf(at.env).join(':')}) does not lead to ${lacking.join(', ')}`, tree);
}

const isShell = (name: string): boolean => /(?:^|\/)(?:ba|da|a|z)?sh$/.test(name);

export function checkCommand(image: InspectedImage, { cmd }: Of<'command'>): Finding {
  const { config } = image.facts;
  if (cmd && config.cmd.length === 0 && config.entrypoint.length === 0)
    return fail('neither CMD nor ENTRYPOINT is set');
  const program = programOf(image);
  if (!program) return cmd ? fail('no command is set') : notApplicable('no command is set');
  const { name, found } = program;
  if (!found) return missing(`${name}, which it runs, is not there`, image.tree);
  if (found.type === 'file' && (found.mode & 0o111) === 0) return fail(`/${found.path} may not be executed`, found);
  // `sh /home/run.sh`: the script has to be there, too.
  const words = [...config.entrypoint, ...config.cmd];
  const [, script = ''] = words;
  if (isShell(name) && script.startsWith('/') && !lookUp(image.tree, script))
    return missing(`${script}, which ${name} is to run, is not there`, image.tree);
  return pass(words.join(' ').slice(0, 200));
}

export function checkSetuid({ facts, tree }: InspectedImage, { except }: Of<'setuid'>): Finding {
  const found = facts.setuid.filter((it) => !except.includes(it.path));
  const [first] = found;
  return first
    ? fail(
        `${found.length} files run as their owner or group: ${found
          .slice(0, 5)
          .map((it) => it.path)
          .join(', ')}`,
        first,
      )
    : tree.cut
      ? unknown('none was found, and not all files are looked at')
      : pass('none but those that systems have');
}

/** ModelArts runs a job's command without a login shell: conda's own activation does not come about. */
export function checkConda({ tree, facts }: InspectedImage): Finding {
  const conda = [...tree.entries.values()].find((it) => /(?:^|\/)condabin\/conda$|(?:^|\/)bin\/conda$/.test(it.path));
  if (!conda) return notApplicable('there is no conda');
  const { env } = facts.config;
  const value = (name: string) => env.findLast((it) => it.startsWith(`${name}=`))?.slice(name.length + 1);
  const [dir, name] = [value('ANACONDA_DIR'), value('DEFAULT_CONDA_ENV_NAME')];
  if (dir !== undefined && name !== undefined) {
    const home = name === 'base' ? dir : `${dir}/envs/${name}`;
    return lookUp(tree, `${home}/bin/python`) || lookUp(tree, home)
      ? pass(`${home}, by ANACONDA_DIR and DEFAULT_CONDA_ENV_NAME`)
      : missing(`ANACONDA_DIR and DEFAULT_CONDA_ENV_NAME lead to ${home}, which is not there`, tree);
  }
  const python = findProgram(tree, 'python', { env, workingDir: '/' });
  const root = conda.path.replace(/\/?(?:condabin|bin)\/conda$/, '');
  return python?.path.startsWith(`${root}/`)
    ? pass(`/${python.path} on PATH`)
    : fail(`/${root} is not on PATH, and ANACONDA_DIR and DEFAULT_CONDA_ENV_NAME are not both set`, conda);
}
