import { Fault } from '../errors/fault.ts';

/** One thing in a build context. Times and owners are not part of it: equal trees are equal wherever they were made. */
export type ContextEntry =
  | { path: string; type: 'file'; mode: number; size: number; sha256: string }
  | { path: string; type: 'folder'; mode: number }
  | { path: string; type: 'link'; target: string };

type FileEntry = Extract<ContextEntry, { type: 'file' }>;

export const filesIn = (entries: readonly ContextEntry[]): FileEntry[] =>
  entries.flatMap((it) => (it.type === 'file' ? [it] : []));

/** What the files of a list have together. */
export const bytesIn = (entries: readonly ContextEntry[]): number =>
  entries.reduce((sum, it) => sum + (it.type === 'file' ? it.size : 0), 0);

export interface ContextLimits {
  /** Files, folders and links. */
  entries: number;
  /** Of all files together. */
  bytes: number;
}

const partBytesMax = 255;
const pathBytesMax = 4096;
const depthMax = 100;
const folderMode = 0o755;

const bytesOf = (text: string): number => new TextEncoder().encode(text).length;

/** Puts a slash first, and the halves of characters beyond the first 65,536 last: so are they in UTF-8. */
const rank = (unit: number): number =>
  unit === 0x2f ? 0 : unit >= 0xe000 ? unit - 0x800 : unit >= 0xd800 ? unit + 0x2000 : unit;

/** Each folder comes before what is in it, and names are in the order of their bytes, as BuildKit wants them. */
export function inOrder(a: string, b: string): number {
  const shorter = Math.min(a.length, b.length);
  for (let at = 0; at < shorter; at += 1) {
    const [left, right] = [a.charCodeAt(at), b.charCodeAt(at)];
    if (left !== right) return rank(left) - rank(right);
  }
  return a.length - b.length;
}

const shown = (path: string): string => JSON.stringify(path.length > 200 ? `${path.slice(0, 200)}…` : path);
const invalid = (path: string, why: string): Fault => new Fault('ContextInvalid', `${shown(path)} ${why}`);

/** @throws Fault ContextInvalid for a path that cannot be one in a context */
export function checkPath(path: string): void {
  if (path === '') throw new Fault('ContextInvalid', 'an entry of the context has no path');
  if (path.includes('\0') || path.includes('\uFFFD')) throw invalid(path, 'has NUL, or bytes that are not UTF-8');
  const parts = path.split('/');
  if (parts.some((it) => it === '' || it === '.' || it === '..'))
    throw invalid(path, 'is not a path within the context: it has an empty part, "." or ".."');
  if (parts.length > depthMax) throw invalid(path, `is more than ${depthMax} folders deep`);
  if (bytesOf(path) > pathBytesMax) throw invalid(path, `has more than ${pathBytesMax} bytes`);
  if (parts.some((it) => bytesOf(it) > partBytesMax))
    throw invalid(path, `has a name of more than ${partBytesMax} bytes`);
}

const parentOf = (path: string): string => path.slice(0, Math.max(path.lastIndexOf('/'), 0));

/** As an ignore file names exactly this path. */
const ignoreLine = (path: string): string => path.replace(/[\\*?[\]]/g, '\\$&');

const gib = (bytes: number): string =>
  bytes >= 2 ** 30 ? `${(bytes / 2 ** 30).toFixed(1)} GiB` : `${(bytes / 2 ** 20).toFixed(1)} MiB`;

/**
 * What is too much, and what to leave out: the largest files, or the folders with most entries.
 * @param got so many bytes or entries, or more, where not all were counted
 */
function tooLarge(entries: readonly ContextEntry[], what: string): Fault {
  const largest = filesIn(entries)
    .sort((a, b) => b.size - a.size)
    .slice(0, 10);
  const lines = largest.map((it) => `${ignoreLine(it.path)}   # ${gib(it.size)}`);
  return new Fault('ContextTooLarge', `${what}; its largest files, as lines for .dockerignore:\n${lines.join('\n')}`);
}

/** @throws Fault ContextTooLarge that names the largest files */
export function checkSize(entries: readonly ContextEntry[], limits: ContextLimits): void {
  if (entries.length > limits.entries)
    throw tooLarge(entries, `the context has more than ${limits.entries} files and folders`);
  if (bytesIn(entries) > limits.bytes) throw tooLarge(entries, `the context has more than ${gib(limits.bytes)}`);
}

/**
 * Brings the entries of a tree into the one form that its id is made of: in order, each folder named, modes without
 * what is not a right to read, write or run.
 * @throws Fault ContextInvalid for a path that is none, comes twice, or lies below a file or link
 */
export function canonicalEntries(given: readonly ContextEntry[]): ContextEntry[] {
  const found = new Map<string, ContextEntry>();
  for (const it of given) {
    checkPath(it.path);
    if (found.has(it.path)) throw invalid(it.path, 'is in the context more than once');
    found.set(it.path, it.type === 'link' ? it : { ...it, mode: it.mode & 0o777 });
  }
  for (const { path } of given) {
    for (let parent = parentOf(path); parent !== ''; parent = parentOf(parent)) {
      const known = found.get(parent);
      if (known?.type === 'folder') break;
      if (known) throw invalid(path, `lies below ${shown(parent)}, which is a ${known.type}`);
      found.set(parent, { path: parent, type: 'folder', mode: folderMode });
    }
  }
  return [...found.values()].sort((a, b) => inOrder(a.path, b.path));
}

/** One line for each entry; the id of a context is this text's digest. */
export const writeEntries = (entries: readonly ContextEntry[]): string =>
  entries
    .map((it) => {
      if (it.type === 'file') return JSON.stringify([it.path, 'file', it.mode, it.size, it.sha256]);
      if (it.type === 'folder') return JSON.stringify([it.path, 'folder', it.mode]);
      return JSON.stringify([it.path, 'link', it.target]);
    })
    .map((line) => `${line}\n`)
    .join('');

const isWhole = (it: unknown): it is number => Number.isSafeInteger(it) && (it as number) >= 0;

function readEntry(line: string, number: number): ContextEntry {
  const refuse = () =>
    new Fault(
      'ContextInvalid',
      `line ${number} must be ["path", "file", mode, size, "sha256"], ["path", "folder", mode] or ["path", "link", "target"]`,
    );
  let parts: unknown;
  try {
    parts = JSON.parse(line);
  } catch {
    throw refuse();
  }
  if (!Array.isArray(parts)) throw refuse();
  const [path, type, third, size, sha256, ...more] = parts as unknown[];
  if (typeof path !== 'string' || more.length > 0) throw refuse();
  if (type === 'file' && isWhole(third) && isWhole(size) && typeof sha256 === 'string' && /^[0-9a-f]{64}$/.test(sha256))
    return { path, type, mode: third, size, sha256 };
  if (type === 'folder' && isWhole(third) && size === undefined) return { path, type, mode: third };
  if (type === 'link' && typeof third === 'string' && third !== '' && !third.includes('\0') && size === undefined)
    return { path, type, target: third };
  throw refuse();
}

/** @throws Fault ContextInvalid that names the line */
export const readEntries = (text: string): ContextEntry[] =>
  text.split('\n').flatMap((line, index) => (line.trim() === '' ? [] : [readEntry(line, index + 1)]));
