import { createHash } from 'node:crypto';
import { createReadStream, lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { canonicalEntries, type ContextEntry, type IgnoreRules, ignoreFilesOf, readIgnoreRules } from '@kiln/domain';

/** A folder as it is to be sent. */
export interface ScannedFolder {
  entries: ContextEntry[];
  /** Which ignore file left something out, if any. */
  ignoreFile: string | undefined;
  /** Paths that are neither file, folder nor link, which nobody can copy. */
  skipped: string[];
}

/** Files up to this size are read at once and without waiting: of thousands, each wait would cost more than the file. */
export const smallBytes = 256 << 10;

async function hashOf(file: string, size: number): Promise<string> {
  const hash = createHash('sha256');
  if (size <= smallBytes) return hash.update(readFileSync(file)).digest('hex');
  await pipeline(createReadStream(file, { highWaterMark: 1 << 20 }), hash);
  return hash.digest('hex');
}

type FoundRules = { file: string; rules: IgnoreRules } | undefined;

async function rulesOf(root: string, ignoreFiles: readonly string[]): Promise<FoundRules> {
  for (const file of ignoreFiles) {
    const text = await readFile(join(root, file), 'utf8').catch(() => undefined);
    if (text !== undefined) return { file, rules: readIgnoreRules(text) };
  }
  return undefined;
}

/**
 * Reads a folder without what its ignore file leaves out; the Dockerfile and the ignore files are sent in any case.
 * @param dockerfile path within the folder; undefined for one that has none
 * @throws Fault ContextInvalid
 */
export async function scanFolder(root: string, dockerfile?: string): Promise<ScannedFolder> {
  const ignoreFiles = dockerfile === undefined ? ['.dockerignore'] : ignoreFilesOf(dockerfile);
  const ignore = await rulesOf(root, ignoreFiles);
  const always = new Set([...(dockerfile === undefined ? [] : [dockerfile]), ...ignoreFiles]);
  const entries: ContextEntry[] = [];
  const skipped: string[] = [];

  async function visit(folder: string): Promise<void> {
    for (const item of readdirSync(join(root, folder), { withFileTypes: true })) {
      const path = folder === '' ? item.name : `${folder}/${item.name}`;
      const isLeftOut = !always.has(path) && ignore?.rules.ignores(path) === true;
      const mayHoldMore =
        item.isDirectory() &&
        (ignore?.rules.hasExceptions === true || [...always].some((it) => it.startsWith(`${path}/`)));
      if (isLeftOut && !mayHoldMore) continue;
      if (item.isDirectory()) {
        const before = entries.length;
        await visit(path);
        // One that is left out is there only for what is in it.
        if (!isLeftOut || entries.length > before)
          entries.push({ path, type: 'folder', mode: lstatSync(join(root, path)).mode & 0o777 });
      } else if (item.isSymbolicLink()) entries.push({ path, type: 'link', target: readlinkSync(join(root, path)) });
      else if (item.isFile()) {
        const { mode, size } = lstatSync(join(root, path));
        entries.push({ path, type: 'file', mode: mode & 0o777, size, sha256: await hashOf(join(root, path), size) });
      } else skipped.push(path);
    }
  }
  await visit('');
  return { entries: canonicalEntries(entries), ignoreFile: ignore?.file, skipped };
}
