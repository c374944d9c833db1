import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { type ContextEntry, Fault, writeEntries } from '@kiln/domain';

/** A file's content, as it was kept. */
export interface KeptFile {
  sha256: string;
  size: number;
}

/** Keeps files, some of them while the next ones come. */
export interface FileWriter {
  /** Takes a file's content. @throws Fault ContextTooLarge when it has more bytes than it may */
  put(content: AsyncIterable<Buffer>, bytesMax: number): Promise<KeptFile>;
  /** All of them are kept once this resolves. @throws Fault ServiceUnavailable */
  done(): Promise<void>;
}

/** Contexts of accounts and the files in them. No account sees, or hears of, what another one has. */
export interface ContextStore {
  /** Folder for archives that come in pieces. */
  readonly uploads: string;
  /** Begins to keep files. */
  write(account: string): FileWriter;
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
  /** What an account's files take, in bytes; as this process knows it since it last counted. */
  usage(account: string): Promise<number>;
  /** Accounts that have something here. */
  accounts(): Promise<string[]>;
}

/** What came so shortly ago may belong to a context that is being made. */
export const settledMs = 3_600_000;

export const isContextId = /^sha256:[0-9a-f]{64}$/;
/** @throws Error for what could lead elsewhere */
export function checkAccount(account: string): void {
  if (!/^[0-9]{1,32}$/.test(account)) throw new Error(`${account} is no account's id`);
}

export const tooManyBytes = (bytesMax: number): Fault =>
  new Fault('ContextTooLarge', `a file of the context has more than the ${bytesMax} bytes that are left`);

export const noContext = (id: string): Fault =>
  new Fault('ContextNotFound', `the files of context ${id} are not kept any more`);

/** The id of a context: what its entries are, and nothing else. */
export const contextId = (entries: readonly ContextEntry[]): string =>
  `sha256:${createHash('sha256').update(writeEntries(entries)).digest('hex')}`;
