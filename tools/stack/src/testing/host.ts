import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const linesOf = (file: string): string[] => {
  try {
    return readFileSync(file, 'utf8').split('\n');
  } catch {
    return [];
  }
};
const entries = (folder: string): string[] => {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
};
/** The name of a builder's cgroups, which the engine makes from its store's folder. */
const cgroupOf = (dir: string): string => createHash('sha256').update(join(dir, 'store')).digest('hex').slice(0, 12);

/** What builds have left; and, when their engines are not to wait for the next build either, what those have. */
function lookAtHost(dirs: string[], withEngines: boolean): string[] {
  const found: string[] = [];
  const stores = dirs.map(cgroupOf);
  for (const pid of processes()) {
    const command = commandOf(pid);
    const groups = linesOf(`/proc/${pid}/cgroup`).join(' ');
    const isStep = stores.some((it) => new RegExp(`/kiln/${it}/\\d+/build-`).test(groups));
    const isEngine =
      dirs.some((it) => command.includes(`${it}/`)) || stores.some((it) => groups.includes(`/kiln/${it}/`));
    if (isStep || (withEngines && isEngine)) found.push(`process ${pid}: ${command.slice(0, 120)}`);
  }
  for (const line of linesOf('/proc/self/mounts'))
    if (dirs.some((it) => line.includes(it))) found.push(`mount ${line}`);
  for (const hierarchy of ['', ...entries('/sys/fs/cgroup')])
    for (const store of stores) {
      const folder = join('/sys/fs/cgroup', hierarchy, 'kiln', store);
      for (const room of entries(folder).filter((it) => /^\d+$/.test(it))) {
        if (withEngines) found.push(`cgroup ${join(folder, room)}`);
        for (const it of entries(join(folder, room)))
          if (it.startsWith('build-')) found.push(`cgroup ${join(folder, room, it)}`);
      }
    }
  for (const dir of withEngines ? dirs : [])
    for (const device of entries('/sys/block').filter((it) => it.startsWith('loop'))) {
      const [file = ''] = linesOf(join('/sys/block', device, 'loop/backing_file'));
      if (file.startsWith(`${dir}/`)) found.push(`loop device ${device} of ${file}`);
    }
  return found;
}

/**
 * What is still there some seconds after the last build has ended: tidying up takes a moment.
 * @param withEngines whether no engine may wait for the next build either
 */
export async function findLeftovers(builderDirs: string[], withEngines = false): Promise<string[]> {
  for (let waited = 0; ; waited += 100) {
    const found = lookAtHost(builderDirs, withEngines);
    if (found.length === 0 || waited > 8000) return found;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

const processes = (): string[] => entries('/proc').filter((it) => /^\d+$/.test(it));
const commandOf = (pid: string): string => linesOf(`/proc/${pid}/cmdline`).join(' ').replaceAll('\0', ' ');

/** Processes of the steps of an attempt of a build. */
export const processesOfAttempt = (id: string, attempt: number): string[] =>
  processes().filter((it) => linesOf(`/proc/${it}/cgroup`).some((line) => line.includes(`/build-${id}-${attempt}/`)));

/** The child of a process whose command holds these words. */
export function childOf(parent: number, words: string): number {
  const found = processes().find(
    (it) =>
      commandOf(it).includes(words) &&
      linesOf(`/proc/${it}/stat`).join('').split(') ').at(-1)?.split(' ')[1] === String(parent),
  );
  if (found === undefined) throw new Error(`process ${parent} has no child ${words}`);
  return Number(found);
}
