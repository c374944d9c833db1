import { createHash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { filesIn, readEntries, writeEntries } from '@kiln/domain';
import {
  checkAccount,
  contextId,
  type ContextStore,
  type FileWriter,
  isContextId,
  noContext,
  settledMs,
  tooManyBytes,
} from './store.ts';

/** Opens a store in a folder, which all apps that use it see under their own path. */
export async function openFolderStore(dir: string): Promise<ContextStore> {
  const incoming = join(dir, 'incoming');
  await mkdir(incoming, { recursive: true, mode: 0o700 });
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

  const used = new Map<string, number>();
  async function count(account: string): Promise<number> {
    let bytes = 0;
    for (const group of await readdir(folderOf(account, 'files')).catch(() => []))
      for (const name of await readdir(join(folderOf(account, 'files'), group)).catch(() => []))
        bytes += (await stat(fileOf(account, name)).catch(() => undefined))?.size ?? 0;
    used.set(account, bytes);
    return bytes;
  }

  /** Moves what has come to where it stays. */
  async function settle(from: string, folder: string, name: string): Promise<void> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await rename(from, join(folder, name));
  }

  const put = async (account: string, ...[content, bytesMax]: Parameters<FileWriter['put']>) => {
    const from = join(incoming, randomUUID());
    const hash = createHash('sha256');
    let size = 0;
    try {
      const handle = await open(from, 'wx', 0o600);
      try {
        for await (const chunk of content) {
          size += chunk.length;
          if (size > bytesMax) throw tooManyBytes(bytesMax);
          hash.update(chunk);
          await handle.writeFile(chunk);
        }
      } finally {
        await handle.close();
      }
      const sha256 = hash.digest('hex');
      if (!(await touch(fileOf(account, sha256)))) {
        await settle(from, join(folderOf(account, 'files'), sha256.slice(0, 2)), sha256);
        const before = used.get(account);
        if (before !== undefined) used.set(account, before + size);
      }
      return { sha256, size };
    } finally {
      await rm(from, { force: true });
    }
  };

  return {
    write: (account) => ({
      put: (content, bytesMax) => put(account, content, bytesMax),
      done: () => Promise.resolve(),
    }),
    async missing(account, files) {
      const found: string[] = [];
      for (const { sha256, size } of files) {
        const file = fileOf(account, sha256);
        const about = (await touch(file)) ? await stat(file).catch(() => undefined) : undefined;
        if (about?.size !== size) found.push(sha256);
      }
      return found;
    },
    read: (account, sha256) => createReadStream(fileOf(account, sha256)),
    async putEntries(account, entries) {
      const id = contextId(entries);
      const from = join(incoming, randomUUID());
      await writeFile(from, writeEntries(entries), { mode: 0o600 });
      const list = listOf(account, id);
      await settle(from, folderOf(account, 'contexts'), list.slice(list.lastIndexOf('/') + 1));
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
      await count(account);
    },
    usage: async (account) => used.get(account) ?? (await count(account)),
    accounts: () => readdir(join(dir, 'accounts')).catch(() => []),
  };
}
