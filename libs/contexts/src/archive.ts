import { canonicalEntries, checkPath, checkSize, type ContextEntry, type ContextLimits, Fault } from '@kiln/domain';
import type { ContextStore } from './store.ts';
import { tarEntries } from './tar-entries.ts';

/** A path as archives write it: `./a/b/` is `a/b`. */
const pathOf = (name: string): string => name.replace(/^(?:\.\/+)+/, '').replace(/\/+$/, '');

/**
 * Keeps the files of a tar (plain, gzip or zstd) as it comes, and gives the entries of the context that it is. A hard
 * link becomes a file of its own; symbolic links are kept as they are, and followed by nobody but the build.
 * @throws Fault ContextInvalid for a device, a hard link to what is not in the archive, or a path that leads out of it;
 * ContextTooLarge
 */
export async function readArchive(
  bytes: AsyncIterable<Buffer>,
  store: ContextStore,
  account: string,
  limits: ContextLimits,
): Promise<ContextEntry[]> {
  const entries = new Map<string, ContextEntry>();
  const files = store.write(account);
  let left = limits.bytes;
  for await (const { header, content } of tarEntries(bytes)) {
    const path = pathOf(header.name);
    if (path === '' || path === '.') continue;
    checkPath(path);
    const mode = header.mode ?? 0o644;
    const target = header.linkname ?? '';
    // As tar unpacks: what comes later under the same name replaces what was there.
    switch (header.type) {
      case 'file':
      case 'contiguous-file': {
        const size = header.size ?? 0;
        if (size > left) checkSize([...entries.values(), { path, type: 'file', mode, size, sha256: '' }], limits);
        const kept = await files.put(content, left);
        left -= kept.size;
        entries.set(path, { path, type: 'file', mode, ...kept });
        break;
      }
      case 'directory':
        entries.set(path, { path, type: 'folder', mode });
        break;
      case 'symlink':
        entries.set(path, { path, type: 'link', target });
        break;
      case 'link': {
        const found = entries.get(pathOf(target));
        if (found?.type !== 'file')
          throw new Fault(
            'ContextInvalid',
            `${JSON.stringify(path)} is a hard link to what is no file before it: ${target}`,
          );
        entries.set(path, { ...found, path });
        break;
      }
      default:
        throw new Fault(
          'ContextInvalid',
          `${JSON.stringify(path)} is a ${header.type ?? 'special file'}; a context has files, folders and links`,
        );
    }
    if (entries.size > limits.entries) checkSize([...entries.values()], limits);
  }
  await files.done();
  const all = canonicalEntries([...entries.values()]);
  checkSize(all, limits);
  return all;
}
