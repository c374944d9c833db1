import type { ContextEntry } from './entries.ts';

/** The part of a context below a folder, under paths that begin there. */
export function below(entries: readonly ContextEntry[], folder: string): ContextEntry[] {
  if (folder === '') return [...entries];
  const start = `${folder}/`;
  return entries.filter((it) => it.path.startsWith(start)).map((it) => ({ ...it, path: it.path.slice(start.length) }));
}

/** Ignore files of a Dockerfile, the first of which that exists says what is left out. */
export const ignoreFilesOf = (dockerfile: string): string[] => [`${dockerfile}.dockerignore`, '.dockerignore'];

/**
 * What is left of a context: a folder that is left out stays where something below it does not.
 * @param isLeftOut what an ignore file says of a path
 */
export function withoutIgnored(entries: readonly ContextEntry[], isLeftOut: (path: string) => boolean): ContextEntry[] {
  const kept = entries.filter((it) => !isLeftOut(it.path));
  const folders = new Set<string>();
  for (const { path } of kept)
    for (let end = path.lastIndexOf('/'); end > 0; end = path.lastIndexOf('/', end - 1))
      folders.add(path.slice(0, end));
  const wanted = new Set([...kept.map((it) => it.path), ...folders]);
  return entries.filter((it) => wanted.has(it.path));
}
