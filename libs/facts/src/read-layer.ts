import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { unzstd } from '@kiln/contexts';
import { type LayerFacts, largestMax, noFacts, type PackageSource, type SeenEntry, storable } from '@kiln/domain';
import { extract, type Header } from 'tar-stream';
import { elfHeadBytes, readElf } from './elf.ts';
import { GoModules } from './go.ts';
import { isMaybeElf, isOfInterest, isText, textBytesMax } from './interest.ts';
import { isJar, packagesInJar, tailOf } from './jar.ts';
import { databaseBytesMax, emptyDatabase, isDatabase, packageOfPath, packagesIn } from './packages.ts';
import { isRpmDatabase, packagesOfRpm, rpmBytesMax } from './rpm.ts';
import { looksMax, RustCrates } from './rust.ts';
import { isSecret, secretBytesMax, secretKind } from './secrets.ts';

/** How much is kept of one layer: an image with more is told to be cut. */
const entriesMax = 30_000;
const packagesMax = 30_000;
const textsBytesMax = 4 << 20;
const whiteoutsMax = 10_000;
const pathMax = 1024;

const types: Partial<Record<NonNullable<Header['type']>, SeenEntry['type']>> = {
  file: 'file',
  'contiguous-file': 'file',
  directory: 'folder',
  symlink: 'link',
  link: 'link',
};

const isZstd = (mediaType: string): boolean => /zstd$/.test(mediaType);
const isGzip = (mediaType: string): boolean => /gzip$/.test(mediaType);

/**
 * @param looks shared by the programs of a layer: see RustCrates
 * @returns the bytes of a file up to `max`, and what a program says it is made of; the rest is read and forgotten
 */
async function headOf(
  content: AsyncIterable<Buffer>,
  max: number,
  mayRun: boolean,
  looks: { left: number },
): Promise<{ head: Buffer; made: Omit<PackageSource, 'path'> | undefined }> {
  // Of its whole size at once: two of a large database would be too much.
  const head = Buffer.allocUnsafe(max);
  const readers = [new GoModules(), new RustCrates(looks)] as const;
  let size = 0;
  let isProgram: boolean | undefined = mayRun ? undefined : false;
  let early: Buffer[] = [];
  for await (const chunk of content) {
    if (size < max) size += chunk.copy(head, size);
    if (isProgram === undefined) {
      early.push(chunk);
      if (size < elfHeadBytes) continue;
      isProgram = readElf(head) !== undefined;
      if (isProgram) for (const it of early) for (const reader of readers) reader.push(it);
      early = [];
    } else if (isProgram) for (const reader of readers) reader.push(chunk);
  }
  const [go, rust] = readers;
  const [modules, crates] = [go.modules(), rust.crates()];
  const made = modules
    ? { type: 'go' as const, packages: modules }
    : crates && { type: 'cargo' as const, packages: crates };
  return { head: head.subarray(0, size), made };
}

/** Keeps what one layer tells, entry by entry. */
class LayerNotes {
  readonly facts = noFacts();
  #packages = 0;
  #textBytes = 0;
  readonly #looks = { left: looksMax };
  /** Where entries stand, by their paths. */
  readonly #files = new Map<string, number>();

  #keep<T>(list: T[], max: number, it: T): void {
    if (list.length < max) list.push(it);
    else this.facts.cut = true;
  }

  #keepPackages(path: string, { type, packages }: Omit<PackageSource, 'path'>): void {
    const { facts } = this;
    const kept = packages
      .slice(0, packagesMax - this.#packages)
      .map(([name, version]): [string, string] => [storable(name), storable(version)]);
    this.#packages += kept.length;
    if (kept.length < packages.length) facts.cut = true;
    // An empty one replaces that of a lower layer.
    facts.packages.push({ path, type, packages: kept });
  }

  #keepText(path: string, text: string): void {
    this.#textBytes += text.length;
    if (this.#textBytes <= textsBytesMax) this.facts.texts.push({ path, text });
    else this.facts.cut = true;
  }

  /** @returns whether it was the mark of a file that is gone */
  #whiteout(path: string): boolean {
    const cut = path.lastIndexOf('/') + 1;
    const [folder, name] = [path.slice(0, cut), path.slice(cut)];
    if (name === '.wh..wh..opq') this.#keep(this.facts.opaque, whiteoutsMax, folder.slice(0, -1));
    else if (name.startsWith('.wh.')) this.#keep(this.facts.whiteouts, whiteoutsMax, folder + name.slice(4));
    else return false;
    return true;
  }

  #measure(path: string, size: number): void {
    const { facts } = this;
    facts.files++;
    facts.bytes += size;
    if (facts.largest.length === largestMax && size <= (facts.largest.at(-1)?.size ?? 0)) return;
    facts.largest.push({ path, size });
    facts.largest.sort((a, b) => b.size - a.size);
    facts.largest.length = Math.min(facts.largest.length, largestMax);
  }

  /** How many bytes of a file are looked at. */
  #needed(path: string, size: number, mayRun: boolean): number {
    if (isJar(path)) return 0;
    const most = isDatabase(path) ? databaseBytesMax : isRpmDatabase(path) ? rpmBytesMax : 0;
    if (most > 0) {
      if (size <= most) return size;
      this.facts.cut = true;
      this.#keepPackages(path, emptyDatabase(path));
      return 0;
    }
    if (isText(path) && size <= textBytesMax) return size;
    if (secretKind(path) !== undefined && size <= secretBytesMax) return size;
    return (mayRun || isMaybeElf(path)) && size > 64 ? elfHeadBytes : 0;
  }

  async take(header: Header, content: AsyncIterable<Buffer> & { resume(): void }): Promise<void> {
    const { facts } = this;
    // PostgreSQL takes no NUL.
    const path = header.name
      .replaceAll('\0', '')
      .replace(/^(?:\.?\/)+/, '')
      .replace(/\/+$/, '');
    const type = types[header.type ?? 'file'];
    if (!path || path === '.' || path.length > pathMax || !type || this.#whiteout(path)) return void content.resume();
    const size = header.size ?? 0;
    const isFile = type === 'file';
    if (isFile) this.#measure(path, size);
    const found = type === 'folder' ? undefined : packageOfPath(path);
    if (isFile && isJar(path)) {
      // One without any replaces that of a lower layer.
      const packages = [...(found?.packages ?? []), ...packagesInJar(await tailOf(content))];
      this.#keepPackages(path, { type: 'jar', packages });
    } else if (found) this.#keepPackages(path, found);
    const { mode = 0o644, uid = 0, gid = 0, linkname } = header;
    const mayRun = type === 'link' || (isFile && ((mode & 0o111) !== 0 || path.endsWith('.sh')));
    const bytes = isFile ? this.#needed(path, size, mayRun) : 0;
    // An empty file is read, too: it replaces that of a lower layer.
    const read = bytes > 0 ? await headOf(content, bytes, mayRun, this.#looks) : undefined;
    const head = read?.head ?? (isFile && size === 0 ? Buffer.alloc(0) : undefined);
    if (read?.made) this.#keepPackages(path, read.made);
    if (bytes === 0) content.resume();
    const elf = head && readElf(head);
    if (head) await this.#read(path, head);
    if (!isOfInterest(path, mayRun) && !(isFile && (mode & 0o6000) !== 0)) return;
    if (header.type === 'link') return this.#hardLink(path, (linkname ?? '').replace(/^(?:\.?\/)+/, ''));
    this.#files.set(path, facts.entries.length);
    this.#keep(facts.entries, entriesMax, {
      ...{ path, type, mode: mode & 0o7777, uid, gid },
      ...(isFile ? { size } : {}),
      ...(type === 'link' ? { target: storable((linkname ?? '').slice(0, pathMax)) } : {}),
      ...(elf ? { elf } : {}),
    });
  }

  /** A second name of a file of this layer: it stays when the first one goes. */
  #hardLink(path: string, target: string): void {
    const { facts } = this;
    const found = facts.entries[this.#files.get(target) ?? -1];
    if (found) this.#keep(facts.entries, entriesMax, { ...found, path });
    const text = facts.texts.find((it) => it.path === target)?.text;
    if (text !== undefined && isText(path)) this.#keepText(path, text);
  }

  async #read(path: string, head: Buffer): Promise<void> {
    const { facts } = this;
    if (isDatabase(path)) {
      const found = packagesIn(path, head.toString('utf8').replaceAll('\0', ''));
      if (found) this.#keepPackages(path, found);
    } else if (isRpmDatabase(path)) {
      const packages = await packagesOfRpm(head);
      if (packages) this.#keepPackages(path, { type: 'rpm', packages });
      else facts.cut = true;
    } else if (isText(path)) this.#keepText(path, head.toString('utf8').replaceAll('\0', ''));
    const kind = secretKind(path);
    if (kind && isSecret(kind, head.toString('latin1'))) this.#keep(facts.secrets, 200, { path, kind });
  }
}

/**
 * Reads a layer as it comes, without writing or running anything of it.
 * @param bytes as the registry has them
 * @param mediaType tells how they are packed
 * @throws Error when they are no whole tar
 */
export async function readLayer(bytes: AsyncIterable<Buffer>, mediaType: string): Promise<LayerFacts> {
  const notes = new LayerNotes();
  const reader = extract();
  const source = isZstd(mediaType) ? unzstd(bytes) : bytes;
  const unpack = isGzip(mediaType) ? [createGunzip({ chunkSize: 256 << 10 })] : [];
  const feeding = pipeline([Readable.from(source, { objectMode: false }), ...unpack, reader]);
  // Told by whoever reads, too.
  feeding.catch(() => undefined);
  for await (const entry of reader) await notes.take(entry.header, entry as AsyncIterable<Buffer> & { resume(): void });
  await feeding;
  return notes.facts;
}
