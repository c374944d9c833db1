import { chown, mkdir, open, readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { run } from './command.ts';
import { isRootOfMachine } from './user-namespace.ts';

/** What a daemon keeps everything in; it outlasts the room. */
interface Volumes {
  /** @param owner id of who may write to it */
  make(path: string, bytes: number, owner: number): Promise<void>;
  /** Whether it is there, and is large enough. */
  isWhole(path: string, bytes: number): Promise<boolean>;
  /** What it takes of the disk. */
  bytesOf(path: string): Promise<number>;
  /** Removes a folder with a volume in it. */
  remove(folder: string): Promise<void>;
  /** Command that mounts it, before the volume and the place. */
  mount: readonly string[];
}

/** What the file system's own books take: some, and a share for the table of inodes. */
const withBooks = (bytes: number): number => Math.ceil(bytes * 1.04) + (16 << 20);

/** Makes a file with a file system that cannot grow, and takes of the disk only what is written to it. */
async function makeFile(file: string, bytes: number, owner: number): Promise<void> {
  await rm(file, { force: true });
  const made = await open(file, 'w', 0o600);
  await made.truncate(withBooks(bytes));
  await made.close();
  // Without a journal: after a crash it is thrown away. Inodes for many small files, as Python's are.
  const features = '^has_journal,^resize_inode,sparse_super2';
  const extended = `nodiscard,lazy_itable_init=1,root_owner=${owner}:${owner}`;
  await run(['mkfs.ext4', '-q', '-F', '-O', features, '-m', '0', '-i', '8192', '-E', extended, file]);
}

const filesWithin: Volumes = {
  make: makeFile,
  async isWhole(path, bytes) {
    const found = await stat(path).catch(() => undefined);
    return found?.isFile() === true && found.size >= bytes;
  },
  bytesOf: async (path) => ((await stat(path).catch(() => undefined))?.blocks ?? 0) * 512,
  remove: (folder) => rm(folder, { recursive: true, force: true }),
  // `discard` gives the disk back what is deleted inside.
  mount: ['mount', '-n', '-t', 'ext4', '-o', 'loop,noatime,noinit_itable,discard,nodev'],
};

/** How long a folder's size is taken to be what it was. */
const sizeMs = 60_000;
const sizes = new Map<string, { bytes: number; atMs: number }>();

/** Whatever a build has left there: paths may be longer than a system call takes. */
const removeTree = async (path: string): Promise<void> => void (await run(['rm', '-rf', '--', path]));

/** Only root of the machine mounts a file system of a file; what a folder takes is not bounded. */
const folders: Volumes = {
  async make(path, _bytes, owner) {
    await removeTree(path);
    await mkdir(path, { mode: 0o711 });
    await chown(path, owner, owner);
  },
  isWhole: async (path) => (await stat(path).catch(() => undefined))?.isDirectory() === true,
  async bytesOf(path) {
    const known = sizes.get(path);
    if (known && performance.now() - known.atMs < sizeMs) return known.bytes;
    // Files come and go meanwhile, of which it complains.
    const said = await run(['sh', '-c', 'du -s --block-size=1 "$1" || true', 'du', path]);
    const bytes = Number.parseInt(said, 10) || 0;
    sizes.set(path, { bytes, atMs: performance.now() });
    return bytes;
  },
  async remove(folder) {
    for (const path of sizes.keys()) if (path.startsWith(`${folder}/`)) sizes.delete(path);
    await removeTree(folder);
  },
  mount: ['mount', '-n', '--bind'],
};

export const volumes = isRootOfMachine ? filesWithin : folders;

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
