import { open, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { run } from './command.ts';

/** What the file system's own books take: some, and a share for the table of inodes. */
const withBooks = (bytes: number): number => Math.ceil(bytes * 1.04) + (16 << 20);

/**
 * Makes a file with a file system that cannot grow, and takes of the disk only what is written to it.
 * @param owner id of who may write to it
 */
export async function makeVolume(file: string, bytes: number, owner: number): Promise<void> {
  await rm(file, { force: true });
  const made = await open(file, 'w', 0o600);
  await made.truncate(withBooks(bytes));
  await made.close();
  // Without a journal: after a crash it is thrown away. Inodes for many small files, as Python's are.
  const features = '^has_journal,^resize_inode,sparse_super2';
  const extended = `nodiscard,lazy_itable_init=1,root_owner=${owner}:${owner}`;
  await run(['mkfs.ext4', '-q', '-F', '-O', features, '-m', '0', '-i', '8192', '-E', extended, file]);
}

/** Mounts it; `discard` gives the disk back what is deleted inside. */
export const mountVolume = ['mount', '-n', '-t', 'ext4', '-o', 'loop,noatime,noinit_itable,discard,nodev'] as const;

const releaseMsMax = 10_000;

/** Whether the kernel still has a file as a device: a mount ends some time after the last process that saw it. */
async function isAttached(file: string): Promise<boolean> {
  const devices = (await readdir('/sys/block')).filter((it) => it.startsWith('loop'));
  const files = devices.map((it) => readFile(join('/sys/block', it, 'loop/backing_file'), 'utf8').catch(() => ''));
  return (await Promise.all(files)).some((it) => it.trimEnd() === file);
}

/**
 * Waits until nothing of a volume's last room is left in the kernel: mounted twice, it would be read as it was, and
 * written over.
 */
export async function untilReleased(file: string): Promise<void> {
  for (const untilMs = performance.now() + releaseMsMax; performance.now() < untilMs; await sleep(5))
    if (!(await isAttached(file))) return;
  throw new Error(`${file} is still in use`);
}
