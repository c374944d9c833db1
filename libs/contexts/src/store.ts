import { createHash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Readable } from 'node:stream';
import { type ContextEntry, Fault, filesIn, readEntries, writeEntries } from '@kiln/domain';

/** A file's content, as it was kept. */
export interface KeptFile {
  sha256: string;
  size: number;
}

/** Contexts of accounts and the files in them. No account sees, or hears of, what another one has. */
export interface ContextStore {
  /** Keeps a file's content. @throws Fault ContextTooLarge when it has more bytes than it may */
  put(account: string, content: AsyncIterable<Buffer>, bytesMax: number): Promise<KeptFile>;
  /** Of these files, those that the account has not; the others stay for an hour, whatever is collected meanwhile. */
  missing(account: string, files: readonly KeptFile[]): Promise<string[]>;
  /** Whoever gets it reads or destroys it. */
  read(account: string, sha256: string): Readable;
  /** Keeps the list of a context's entries. @returns its id */
  putEntries(account: string, entries: readonly ContextEntry[]): Promise<string>;
  /** @throws Fault ContextNotFound */
  entries(account: string, id: string): Promise<ContextEntry[]>;
  /** Forgets contexts that are not among these, and files that are in none of them; nothing of the last hour. */
  collect(account: string, ids: ReadonlySet<string>): Promise<void>;
  /** What an account's files take of the disk, in bytes; as this process knows it since it last counted. */
  usage(account: string): Promise<number>;
  /** Accounts that have something here. */
  accounts(): Promise<string[]>;
}

/** What came so shortly ago may belong to a context that is being made. */
const settledMs = 3_600_000;

const isId = /^sha256:[0-9a-f]{64}$/;
const isAccount = /^[0-9]{1,32}$/;

/** The id of a context: what its entries are, and nothing else. */
export const contextId = (entries: readonly ContextEntry[]): string =>
  `sha256:${createHash('sha256').update(writeEntries(entries)).digest('hex')}`;

/** Opens a store in a folder, which all apps that use it see under their own path. */
export async function openContextStore(dir: string): Promise<ContextStore> {
  const incoming = join(dir, 'incoming');
  await mkdir(incoming, { recursive: true, mode: 0o700 });
  const folderOf = (account: string, kind: 'files' | 'contexts'): string => {
    if (!isAccount.test(account)) throw new Error(`${account} is no account's id`);
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

  return {
    async put(account, content, bytesMax) {
      const from = join(incoming, randomUUID());
      const hash = createHash('sha256');
      let size = 0;
      try {
        const handle = await open(from, 'wx', 0o600);
        try {
          for await (const chunk of content) {
            size += chunk.length;
            if (size > bytesMax)
              throw new Fault(
                'ContextTooLarge',
                `a file of the context has more than the ${bytesMax} bytes that are left`,
              );
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
    },
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
      const text = isId.test(id) ? await readFile(listOf(account, id), 'utf8').catch(() => undefined) : undefined;
      if (text === undefined) throw new Fault('ContextNotFound', `the files of context ${id} are not kept any more`);
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
