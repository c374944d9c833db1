import { Fault } from '@kiln/domain';

/** What a length of less than that means is something else than a line: the end of a part, mostly. */
const lengthBytes = 4;

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
      const digits = rest.toString('latin1', 0, lengthBytes);
      if (!/^[0-9a-f]{4}$/i.test(digits)) throw new Fault('SourceInvalid', 'the server does not speak git’s protocol');
      const length = parseInt(digits, 16);
      if (length < lengthBytes) {
        rest = rest.subarray(lengthBytes);
        yield undefined;
        continue;
      }
      if (rest.length < length) break;
      const line = rest.subarray(lengthBytes, length);
      rest = rest.subarray(length);
      yield line;
    }
  }
  if (rest.length > 0) throw new Fault('SourceInvalid', 'the server’s answer ends in the middle');
}

export const packetLine = (text: string): string => (text.length + lengthBytes).toString(16).padStart(4, '0') + text;
export const flush = '0000';
