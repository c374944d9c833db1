import { Fault } from '@kiln/domain';

/** A length of less than that is something else than a line: the end of a part, mostly. */
const lengthBytes = 4;

/** The length that a line begins with. @throws Fault SourceInvalid for what is no such line */
function lengthOf(bytes: Buffer): number {
  const digits = bytes.toString('latin1', 0, lengthBytes);
  if (!/^[0-9a-f]{4}$/i.test(digits)) throw new Fault('SourceInvalid', 'the server does not speak git’s protocol');
  return parseInt(digits, 16);
}

/**
 * Lines of git's protocol: each begins with its length as four hexadecimal digits.
 * @returns their bytes, and undefined for what ends a part
 * @throws Fault SourceInvalid for what is no such line
 */
export async function* packetLines(stream: AsyncIterable<Buffer>): AsyncGenerator<Buffer | undefined> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of stream) {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    while (rest.length >= lengthBytes) {
      const length = lengthOf(rest);
      if (rest.length < length) break;
      const line = length < lengthBytes ? undefined : rest.subarray(lengthBytes, length);
      rest = rest.subarray(Math.max(length, lengthBytes));
      yield line;
    }
  }
  if (rest.length > 0) throw new Fault('SourceInvalid', 'the server’s answer ends in the middle');
}

/** What follows the first part, as it comes. @throws Fault SourceInvalid for a first part that has no lines */
export async function* pastFirstPart(stream: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let rest: Buffer | undefined = Buffer.alloc(0);
  for await (const chunk of stream) {
    if (!rest) {
      yield chunk;
      continue;
    }
    rest = Buffer.concat([rest, chunk]);
    for (let isOver = false; !isOver && rest && rest.length >= lengthBytes;) {
      const length = lengthOf(rest);
      if (rest.length < length) break;
      rest = rest.subarray(Math.max(length, lengthBytes));
      isOver = length === 0;
      if (!isOver) continue;
      if (rest.length > 0) yield rest;
      rest = undefined;
    }
  }
}

export const packetLine = (text: string): string => (text.length + lengthBytes).toString(16).padStart(4, '0') + text;
export const flush = '0000';

/** The program that gives what a repository has, as git's protocols call it. */
export const service = 'git-upload-pack';
/** What stands before the list of names over HTTP (gitprotocol-http). */
export const preface = packetLine(`# service=${service}\n`) + flush;
