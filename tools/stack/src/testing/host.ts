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

function lookAtHost(dirs: string[]): string[] {
  const found: string[] = [];
  for (const pid of processes()) {
    const command = commandOf(pid);
    const groups = linesOf(`/proc/${pid}/cgroup`).join(' ');
    const ours = dirs.some((it) => command.includes(`${it}/`) || groups.includes(`/kiln/${cgroupOf(it)}/`));
    if (ours) found.push(`process ${pid}: ${command.slice(0, 120)}`);
  }
  for (const line of linesOf('/proc/self/mounts'))
    if (dirs.some((it) => line.includes(it))) found.push(`mount ${line}`);
  for (const hierarchy of ['', ...entries('/sys/fs/cgroup')])
    for (const store of dirs.map(cgroupOf))
      for (const it of entries(join('/sys/fs/cgroup', hierarchy, 'kiln', store)))
        if (/^(?:build|fetch|push|probe)-/.test(it)) found.push(`cgroup ${hierarchy}/kiln/${store}/${it}`);
  for (const dir of dirs) {
    for (const it of entries(join(dir, 'work'))) found.push(`folder ${join(dir, 'work', it)}`);
    for (const kind of ['builds', 'places'])
      for (const it of entries(join(dir, 'store', kind))) found.push(`${kind} ${join(dir, 'store', kind, it)}`);
    for (const device of entries('/sys/block').filter((it) => it.startsWith('loop'))) {
      const [file = ''] = linesOf(join('/sys/block', device, 'loop/backing_file'));
      if (file.startsWith(`${dir}/`)) found.push(`loop device ${device} of ${file}`);
    }
  }
  return found;
}

/** What is still there some seconds after the last build has ended: tidying up takes a moment. */
export async function findLeftovers(builderDirs: string[]): Promise<string[]> {
  for (let waited = 0; ; waited += 100) {
    const found = lookAtHost(builderDirs);
    if (found.length === 0 || waited > 8000) return found;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

const processes = (): string[] => entries('/proc').filter((it) => /^\d+$/.test(it));
const commandOf = (pid: string): string => linesOf(`/proc/${pid}/cmdline`).join(' ').replaceAll('\0', ' ');

/** Processes that carry an attempt of a build. */
export const processesOfAttempt = (id: string, attempt: number): string[] =>
  processes().filter((it) =>
    [commandOf(it), linesOf(`/proc/${it}/cgroup`).join(' ')].some((text) => text.includes(`/${id}-${attempt}`)),
  );

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
