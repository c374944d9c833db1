import { ignoreFilesOf, type IgnoreRules, readIgnoreRules } from '@kiln/domain/context-files';

/** A file of a folder, under its path there. */
export interface FolderFile {
  path: string;
  file: File;
}

/** A folder that somebody gave, without what its ignore file leaves out. */
export interface Folder {
  name: string;
  files: FolderFile[];
  bytes: number;
  /** How many files the ignore file left out, and which one it was. */
  leftOut: number;
  ignoreFile: string | undefined;
  /** Of the file `Dockerfile`, when there is one. */
  dockerfile: string | undefined;
}

const readAll = (reader: FileSystemDirectoryReader): Promise<FileSystemEntry[]> =>
  new Promise((resolve, reject) => {
    const found: FileSystemEntry[] = [];
    // It gives some at a time, and none at the end.
    const more = (): void =>
      reader.readEntries((some) => {
        for (const it of some) found.push(it);
        if (some.length === 0) resolve(found);
        else more();
      }, reject);
    more();
  });

/** Adds an entry's files, which may be more than a call has room for. */
async function addFiles(to: FolderFile[], entry: FileSystemEntry, path: string): Promise<void> {
  if (entry.isFile) {
    const file = await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject));
    to.push({ path, file });
    return;
  }
  for (const it of await readAll((entry as FileSystemDirectoryEntry).createReader()))
    await addFiles(to, it, path === '' ? it.name : `${path}/${it.name}`);
}

async function rulesOf(files: readonly FolderFile[]): Promise<{ name: string; rules: IgnoreRules } | undefined> {
  for (const name of ignoreFilesOf('Dockerfile')) {
    const found = files.find((it) => it.path === name);
    if (found) return { name, rules: readIgnoreRules(await found.file.text()) };
  }
  return undefined;
}

/** @throws Fault for an ignore file that is none */
async function folderOf(name: string, all: FolderFile[]): Promise<Folder> {
  const ignore = await rulesOf(all);
  const always = new Set(['Dockerfile', ...ignoreFilesOf('Dockerfile')]);
  const files = all.filter((it) => always.has(it.path) || ignore?.rules.ignores(it.path) !== true);
  return {
    name,
    files,
    bytes: files.reduce((sum, it) => sum + it.file.size, 0),
    leftOut: all.length - files.length,
    ignoreFile: ignore?.name,
    dockerfile: await files.find((it) => it.path === 'Dockerfile')?.file.text(),
  };
}

/** What was chosen in the browser's own dialogue: paths begin with the folder's name. */
export function chosenFolder(list: FileList): Promise<Folder> {
  const files = [...list].map((file) => ({ path: file.webkitRelativePath.replace(/^[^/]*\//, ''), file }));
  return folderOf(list[0]?.webkitRelativePath.split('/')[0] ?? '', files);
}

/** Whether a file is a tar, or a packed one, by its name. */
export const isArchive = (name: string): boolean => /\.(?:tar|tgz|tar\.(?:gz|zst))$/i.test(name);

/** What was dropped: a folder, some files, or one archive. */
export async function dropped(items: DataTransferItemList): Promise<Folder | File | undefined> {
  // Only now, while the event lasts, does the browser give them; of some, the file alone.
  const given = [...items].flatMap((it) => it.webkitGetAsEntry() ?? it.getAsFile() ?? []);
  const [first] = given;
  if (!first) return undefined;
  const isOne = given.length === 1;
  const files: FolderFile[] = [];
  if (isOne && !(first instanceof File) && first.isDirectory) {
    await addFiles(files, first, '');
    return folderOf(first.name, files);
  }
  for (const it of given)
    if (it instanceof File) files.push({ path: it.name, file: it });
    else await addFiles(files, it, it.name);
  if (isOne && isArchive(first.name)) return files[0]?.file;
  return folderOf(`${given.length} dropped files and folders`, files);
}
