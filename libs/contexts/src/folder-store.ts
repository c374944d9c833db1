import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { lchown, mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { filesIn, readEntries, writeEntries } from '@kiln/domain';
import { forEachOf, inOrder, openWriters } from './file-writer.ts';
import {
  checkAccount,
  contextId,
  type ContextStore,
  isContextId,
  type KeptFile,
  noContext,
  settledMs,
} from './store.ts';
import { openUsage } from './usage.ts';

/** Operations on files at once. */
const atOnce = 16;

/** Opens a store in a folder, which all apps that use it see under their own path. */
export async function openFolderStore(dir: string): Promise<ContextStore> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const owner = await stat(dir);
  /** A builder is root beside an api that is not: what root makes belongs to whose the folder is. */
  const give = async (path: string): Promise<void> => {
    if (process.getuid?.() === 0 && owner.uid !== 0) await lchown(path, owner.uid, owner.gid);
  };
  const makeFolder = async (path: string): Promise<void> => {
    const first = await mkdir(path, { recursive: true, mode: 0o700 });
    for (let it = path; first !== undefined; it = dirname(it)) {
      await give(it);
      if (it === first) return;
    }
  };
  const incoming = join(dir, 'incoming');
  await makeFolder(incoming);
  const folderOf = (account: string, kind: 'files' | 'contexts'): string => {
    checkAccount(account);
    return join(dir, 'accounts', account, kind);
  };
  const fileOf = (account: string, sha256: string) => join(folderOf(account, 'files'), sha256.slice(0, 2), sha256);
  const listOf = (account: string, id: string) => join(folderOf(account, 'contexts'), id.slice('sha256:'.length));
  const touch = async (file: string): Promise<boolean> => {
    const now = new Date();
    return utimes(file, now, now).then(
      () => true,
      () => false,
    );
  };

  const usage = openUsage(async (account) => {
    let bytes = 0;
    for (const group of await readdir(folderOf(account, 'files')).catch(() => []))
      for (const name of await readdir(join(folderOf(account, 'files'), group)).catch(() => []))
        bytes += (await stat(fileOf(account, name)).catch(() => undefined))?.size ?? 0;
    return bytes;
  });

  /** Moves what has come to where it stays. */
  async function settle(from: string, to: string): Promise<void> {
    await give(from);
    await rename(from, to).catch(async (error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
      await makeFolder(dirname(to));
      await rename(from, to);
    });
  }
  async function keep(account: string, { sha256, size }: KeptFile, from: () => Promise<string>): Promise<void> {
    const to = fileOf(account, sha256);
    if (await touch(to)) return;
    await settle(await from(), to);
    usage.add(account, size);
  }
  const written = async (content: Buffer | string): Promise<string> => {
    const from = join(incoming, randomUUID());
    await writeFile(from, content, { mode: 0o600, flag: 'wx' });
    return from;
  };
  const write = openWriters(incoming, atOnce);

  return {
    uploads: join(dir, 'uploads'),
    write: (account) =>
      write({
        bytes: (kept, content) => keep(account, kept, () => written(content)),
        file: (kept, path) => keep(account, kept, () => Promise.resolve(path)),
      }),
    async missing(account, files) {
      const found = new Set<string>();
      await forEachOf(files, atOnce, async ({ sha256, size }) => {
        const file = fileOf(account, sha256);
        const about = (await touch(file)) ? await stat(file).catch(() => undefined) : undefined;
        if (about?.size !== size) found.add(sha256);
      });
      return inOrder(files, found);
    },
    read: (account, sha256) => createReadStream(fileOf(account, sha256)),
    async putEntries(account, entries) {
      const id = contextId(entries);
      await settle(await written(writeEntries(entries)), listOf(account, id));
      return id;
    },
    async entries(account, id) {
      const text = isContextId.test(id)
        ? await readFile(listOf(account, id), 'utf8').catch(() => undefined)
        : undefined;
      if (text === undefined) throw noContext(id);
      return readEntries(text);
    },
    async collect(account, ids) {
      const before = Date.now() - settledMs;
      const removeOld = async (file: string): Promise<void> => {
        const about = await stat(file).catch(() => undefined);
        if (about && about.mtimeMs < before) await rm(file, { force: true });
      };
      const inUse = new Set<string>();
      for (const name of await readdir(folderOf(account, 'contexts')).catch(() => [])) {
        const file = join(folderOf(account, 'contexts'), name);
        if (!ids.has(`sha256:${name}`)) await removeOld(file);
        const text = await readFile(file, 'utf8').catch(() => '');
        for (const it of filesIn(readEntries(text))) inUse.add(it.sha256);
      }
      for (const group of await readdir(folderOf(account, 'files')).catch(() => []))
        for (const sha256 of await readdir(join(folderOf(account, 'files'), group)).catch(() => []))
          if (!inUse.has(sha256)) await removeOld(fileOf(account, sha256));
      for (const name of await readdir(incoming)) await removeOld(join(incoming, name));
      usage.forget(account);
    },
    usage: (account) => usage.of(account),
    accounts: () => readdir(join(dir, 'accounts')).catch(() => []),
  };
}
