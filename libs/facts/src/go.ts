import type { PackageSource } from '@kiln/domain';
import { type Place, Seeker } from './seeker.ts';

// As Go's own debug/buildinfo reads it: a magic, the size of a pointer, flags, zeros, and then, since Go 1.18, two
// strings with their lengths before them, of which the second has 16 bytes before and behind that say nothing.
const magic = Buffer.from('\xff Go buildinf:', 'latin1');
const flagsAt = 15;
const stringsAt = 32;
const inline = 2;
const markBytes = 16;
/** The most that is kept of one program's list of modules. */
const infoBytesMax = 1 << 20;

/** @returns a string with its length before it, as a varint, and where it ends; undefined where it is cut off */
function stringAt(bytes: Buffer, start: number): { text: Buffer; end: number } | undefined {
  let length = 0;
  let at = start;
  for (let shift = 0; ; shift += 7) {
    const byte = bytes[at++];
    if (byte === undefined || shift > 28) return undefined;
    length += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) break;
  }
  return at + length <= bytes.length ? { text: bytes.subarray(at, at + length), end: at + length } : undefined;
}

/** Modules as `go version -m` prints them: `mod` and `dep` with path and version, `=>` what stands in for the one before. */
function modulesIn(text: string): PackageSource['packages'] {
  const found: PackageSource['packages'] = [];
  for (const line of text.split('\n')) {
    const [kind = '', path = '', version = ''] = line.split('\t');
    if (kind === '=>') found.pop();
    else if (kind !== 'mod' && kind !== 'dep') continue;
    // What was built in its own folder has no version.
    if (path && version && version !== '(devel)') found.push([path.slice(0, 200), version.slice(0, 200)]);
  }
  return found;
}

/** Whether strings follow a magic: programs that look for it in others have it among their texts. */
const isHead = (bytes: Buffer): boolean =>
  ((bytes[flagsAt] ?? 0) & inline) !== 0 && bytes.subarray(flagsAt + 1, stringsAt).every((it) => it === 0);

function findHead(bytes: Buffer): Place {
  for (let at = bytes.indexOf(magic); at >= 0; at = bytes.indexOf(magic, at + 1)) {
    if (bytes.length - at < stringsAt) return { at, isFound: false };
    if (isHead(bytes.subarray(at))) return { at, isFound: true };
  }
  return { at: Math.max(0, bytes.length - magic.length), isFound: false };
}

/** Looks for what Go writes of itself into programs, chunk by chunk as they are read. */
export class GoModules {
  readonly #seeker = new Seeker(findHead, infoBytesMax);

  push(chunk: Buffer): void {
    this.#seeker.push(chunk);
  }

  /** @returns the modules that the program is made of, with Go's own as `stdlib`; undefined where it is none of Go's */
  modules(): PackageSource['packages'] | undefined {
    const info = this.#seeker.kept();
    const version = info && stringAt(info, stringsAt);
    const modules = version && stringAt(info, version.end);
    if (!modules) return undefined;
    const go = /^go(\S+)/.exec(version.text.toString('latin1'))?.[1];
    const text = modules.text.subarray(markBytes, -markBytes).toString('utf8');
    return [...(go === undefined ? [] : ([['stdlib', go.slice(0, 200)]] as [string, string][])), ...modulesIn(text)];
  }
}
