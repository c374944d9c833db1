import { Fault } from '@kiln/domain';
import type { ContextStore } from './store.ts';
import { tarEntries } from './tar-entries.ts';

/**
 * Keeps the files of a tar whose names are the sha-256 of what is in them.
 * @param wanted of those that may come, how many bytes each has
 * @returns how many came
 * @throws Fault ContextInvalid for a file that was not asked for, or that is another one
 */
export async function readBlobArchive(
  bytes: AsyncIterable<Buffer>,
  store: ContextStore,
  account: string,
  wanted: ReadonlyMap<string, number>,
): Promise<number> {
  const files = store.write(account);
  let came = 0;
  for await (const { header, content } of tarEntries(bytes)) {
    const { name, type } = header;
    const size = wanted.get(name);
    if (type !== 'file' || size === undefined)
      throw new Fault(
        'ContextInvalid',
        `the archive has ${JSON.stringify(name.slice(0, 100))}, which is no file that is missing`,
      );
    const kept = await files.put(content, size);
    if (kept.sha256 !== name)
      throw new Fault('ContextInvalid', `the file ${name} has other bytes: their sha-256 is ${kept.sha256}`);
    came += 1;
  }
  await files.done();
  return came;
}
