import type { FolderFile } from './folder.ts';

const block = 512;
const encoder = new TextEncoder();

const octal = (value: number, length: number): string => value.toString(8).padStart(length - 1, '0') + '\0';

/** One header (POSIX.1-2001, ustar). A size of 8 GiB or more has no place in it. */
function header(name: string, size: number, type: '0' | 'x'): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(block);
  const put = (text: string, at: number) => bytes.set(encoder.encode(text), at);
  put(name, 0);
  put(octal(0o644, 8), 100);
  put(octal(0, 8), 108);
  put(octal(0, 8), 116);
  put(octal(size, 12), 124);
  put(octal(0, 12), 136);
  put(' '.repeat(8), 148);
  put(type, 156);
  put('ustar\x0000', 257);
  put(
    octal(
      bytes.reduce((sum, it) => sum + it, 0),
      7,
    ),
    148,
  );
  bytes[155] = 0x20;
  return bytes;
}

/** A line of an extended header, which counts its own length. */
function record(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  const bare = encoder.encode(rest).length;
  let length = bare + String(bare).length;
  if (bare + String(length).length > length) length += 1;
  return `${length}${rest}`;
}

const padding = (size: number): Uint8Array<ArrayBuffer> => new Uint8Array((block - (size % block)) % block);

/** A tar of files that are read from the disk only when it is sent. Browsers tell neither modes nor links. */
export function tarOf(files: readonly FolderFile[]): Blob {
  const parts: BlobPart[] = [];
  for (const { path, file } of files) {
    const isPlain = encoder.encode(path).length <= 100;
    if (!isPlain) {
      const text = encoder.encode(record('path', path));
      parts.push(header('path', text.length, 'x'), text, padding(text.length));
    }
    parts.push(header(isPlain ? path : 'long', file.size, '0'), file, padding(file.size));
  }
  parts.push(new Uint8Array(2 * block));
  return new Blob(parts);
}
