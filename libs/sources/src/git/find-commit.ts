import { Fault } from '@kiln/domain';
import { packetLines } from './packet-lines.ts';

/** The most that a repository may say of its branches and tags, in bytes: some have a million. */
const advertisedBytesMax = 128 << 20;

/** Where a name is looked for, as git does: the first that there is. */
const placesOf = (ref: string | undefined): string[] =>
  ref === undefined ? ['HEAD'] : [ref, `refs/${ref}`, `refs/tags/${ref}`, `refs/heads/${ref}`];

/**
 * Finds the commit that a branch or tag stands for in what a repository says that it has.
 * @param ref its default branch when left out
 * @returns undefined when there is no such name
 * @throws Fault SourceInvalid, SourceNotFound in the server's own words
 */
export async function findCommit(advertised: AsyncIterable<Buffer>, ref?: string): Promise<string | undefined> {
  const places = placesOf(ref);
  const found = new Map<string, string>();
  let bytes = 0;
  for await (const line of packetLines(advertised)) {
    if (line === undefined) break;
    bytes += line.length;
    if (bytes > advertisedBytesMax)
      throw new Fault('SourceInvalid', `the repository lists more than ${advertisedBytesMax} bytes of names`);
    const text = line.toString('utf8').trimEnd();
    if (text.startsWith('ERR ')) throw new Fault('SourceNotFound', `the server says: ${text.slice(4, 300)}`);
    // What the server can do stands behind the first name.
    const [, commit = '', name = ''] = /^([0-9a-f]{40}|[0-9a-f]{64}) ([^\0]+)/.exec(text) ?? [];
    // A tag with a text of its own is listed a second time, as what it was set on.
    const plain = name.replace(/\^\{\}$/, '');
    if (places.includes(plain)) found.set(plain, commit);
  }
  const place = places.find((it) => found.has(it));
  return place === undefined ? undefined : found.get(place);
}
