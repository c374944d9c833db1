import { existsSync } from 'node:fs';
import { chown, mkdir, readdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** What the processes in a group may take together. */
export interface GroupLimits {
  memoryBytes: number;
  cpuMillis: number;
  pids: number;
}

export type RoomLimits = Omit<GroupLimits, 'cpuMillis'>;

/** How near to its limits a group came. */
export interface GroupUsage {
  memoryPeakBytes: number;
  /** Whether the kernel had to end a process, or may have had to: version 1 counts that where the process was. */
  metMemoryLimit: boolean;
  /** Whether it had to refuse a process, or may have had to. */
  metPidsLimit: boolean;
}

/** Of steps that are in no group. */
export const unknownUsage: GroupUsage = { memoryPeakBytes: 0, metMemoryLimit: false, metPidsLimit: false };

const top = '/sys/fs/cgroup';
/** Whether the machine has version 2 and nothing else. */
const unified = existsSync(`${top}/cgroup.controllers`);
const controllers = ['memory', 'cpu', 'pids'] as const;
const [memoryDir, cpuDir, pidsDir] = controllers.map((it) => (unified ? top : `${top}/${it}`)) as [
  string, string, string,
]; // prettier-ignore
const hierarchies = [...new Set([memoryDir, cpuDir, pidsDir])];

const read = (file: string): Promise<string> => readFile(file, 'utf8').catch(() => '');
const put = (file: string, text: string | number): Promise<void> => writeFile(file, String(text));

/** Where processes of a group may be moved from one to the other by an owner that is not root of the machine. */
const delegated = unified ? ['', 'cgroup.procs', 'cgroup.threads', 'cgroup.subtree_control'] : [''];

/** Files of a group and what to write to them; the second of two that depend on each other comes last. */
const limitFiles = ({ memoryBytes, cpuMillis, pids }: GroupLimits): [string, string | number][] =>
  unified
    ? [
        [`${memoryDir}/:/memory.max`, memoryBytes],
        [`${memoryDir}/:/memory.swap.max`, 0],
        [`${cpuDir}/:/cpu.max`, `${cpuMillis * 100} 100000`],
        [`${pidsDir}/:/pids.max`, pids],
      ]
    : [
        [`${memoryDir}/:/memory.limit_in_bytes`, memoryBytes],
        [`${memoryDir}/:/memory.memsw.limit_in_bytes`, memoryBytes],
        [`${cpuDir}/:/cpu.cfs_period_us`, 100_000],
        [`${cpuDir}/:/cpu.cfs_quota_us`, cpuMillis * 100],
        [`${pidsDir}/:/pids.max`, pids],
      ];
// A kernel may be built without an account of swap.
const optional = /memory\.(?:memsw|swap)/;

async function setLimits(group: string, limits: GroupLimits): Promise<void> {
  for (const [file, value] of limitFiles(limits)) {
    const writing = put(file.replace(':', group), value);
    await (optional.test(file) ? writing.catch(() => undefined) : writing);
  }
}

/**
 * Lets a room's root make groups of its own below a group, and move its processes there; the group's limits stay the
 * machine's.
 */
export async function delegateGroup(group: string, owner: number): Promise<void> {
  // Version 1 has more hierarchies than those with limits; the room's runtime makes its groups in all of them.
  const all = unified ? [top] : (await readdir(top)).map((it) => join(top, it));
  for (const hierarchy of all)
    for (const it of delegated) await chown(join(hierarchy, group, it), owner, owner).catch(() => undefined);
}

/**
 * Version 2 limits only groups below one that holds no process itself: those of a room's daemon go into a group beside
 * the builds'.
 */
export async function makeRoomForBuilds(group: string): Promise<void> {
  if (!unified) return;
  const daemon = join(top, group, 'daemon');
  await mkdir(daemon, { recursive: true });
  for (const pid of await processesOf(group)) await put(join(daemon, 'cgroup.procs'), pid).catch(() => undefined);
  await put(join(top, group, 'cgroup.subtree_control'), controllers.map((it) => `+${it}`).join(' '));
}

/** Makes a group with limits, in which `owner` may make groups of its own. */
export async function makeGroup(group: string, limits: GroupLimits, owner: number): Promise<void> {
  for (const hierarchy of hierarchies) await mkdir(join(hierarchy, group), { recursive: true });
  await setLimits(group, limits);
  for (const hierarchy of hierarchies)
    for (const it of delegated) await chown(join(hierarchy, group, it), owner, owner);
}

/** What a group and all below it have used. */
export async function usageOf(group: string): Promise<GroupUsage> {
  const number = async (file: string, pattern = /^(\d+)/m) => Number(pattern.exec(await read(file))?.[1] ?? 0);
  const memory = join(memoryDir, group);
  const pids = join(pidsDir, group);
  const refused = await number(join(pids, 'pids.events'), /^max (\d+)/m);
  const mostPids = await number(join(pids, 'pids.peak'));
  // Kernels before 6.6 do not tell the most; what the processes say has to do, then.
  const metPidsLimit = refused > 0 || mostPids === 0 || mostPids >= (await number(join(pids, 'pids.max')));
  if (unified) {
    const killed = await number(join(memory, 'memory.events'), /^oom_kill (\d+)/m);
    return { memoryPeakBytes: await number(join(memory, 'memory.peak')), metMemoryLimit: killed > 0, metPidsLimit };
  }
  const memoryPeakBytes = await number(join(memory, 'memory.max_usage_in_bytes'));
  const limit = await number(join(memory, 'memory.limit_in_bytes'));
  return { memoryPeakBytes, metMemoryLimit: memoryPeakBytes >= limit - (1 << 20), metPidsLimit };
}

/** What the processes of a group and of all below it have of the memory, without the pages of files. */
export async function memoryOf(group: string): Promise<number> {
  const stat = await read(join(memoryDir, group, 'memory.stat'));
  return Number((unified ? /^anon (\d+)/m : /^total_rss (\d+)/m).exec(stat)?.[1] ?? 0);
}

/** Processes of a group, without those of groups below it. */
export const processesOf = async (group: string): Promise<number[]> =>
  (await read(join(pidsDir, group, 'cgroup.procs'))).split('\n').filter(Boolean).map(Number);

/** How many processes run in a group and below it. */
export async function processesBelow(group: string): Promise<number> {
  const lists = (await below(join(pidsDir, group))).map((it) => read(join(it, 'cgroup.procs')));
  return (await Promise.all(lists)).join('\n').split('\n').filter(Boolean).length;
}

/** Ends what runs in a group and below it. */
export async function killGroup(group: string): Promise<void> {
  // Twice: what was being started meanwhile.
  for (let round = 0; round < 2; round += 1) for (const it of await below(join(pidsDir, group))) await killIn(it);
}

async function killIn(folder: string): Promise<void> {
  await put(join(folder, 'cgroup.kill'), 1).catch(() => undefined);
  for (const pid of (await read(join(folder, 'cgroup.procs'))).split('\n').filter(Boolean)) {
    try {
      process.kill(Number(pid), 'SIGKILL');
    } catch {
      // It has ended.
    }
  }
}

/** A folder and all below it, the deepest first. */
async function below(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => undefined);
  if (!entries) return [];
  const children = entries.filter((it) => it.isDirectory()).map((it) => below(join(folder, it.name)));
  return [...(await Promise.all(children)).flat(), folder];
}

/** Ends what is left in a group, and removes it and all below it in every hierarchy. */
export async function removeGroup(group: string): Promise<void> {
  const names = unified ? [''] : await readdir(top).catch(() => []);
  for (const name of names) {
    for (const folder of await below(join(top, name, group))) {
      // Busy for a moment after its last process.
      for (let tries = 0; tries < 50 && existsSync(folder); tries += 1) {
        await rmdir(folder).catch(async () => {
          await killIn(folder);
          await sleep(10);
        });
      }
    }
  }
}
