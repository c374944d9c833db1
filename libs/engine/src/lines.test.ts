import { Readable } from 'node:stream';
import { lineCharsMax, linesOf } from './lines.ts';

const all = async (...chunks: (string | Buffer)[]): Promise<string[]> => {
  const lines: string[] = [];
  for await (const it of linesOf(Readable.from(chunks.map((chunk) => Buffer.from(chunk))))) lines.push(it.text);
  return lines;
};

describe('linesOf', () => {
  it('joins lines across chunks, in the middle of a character too', async () => {
    const text = Buffer.from('grüße\nb');
    expect(await all(text.subarray(0, 3), text.subarray(3))).toEqual(['grüße', 'b']);
  });

  it('takes CRLF as one end, in two chunks too, and shows the last state of a progress bar', async () => {
    expect(await all('a\r\n10%\r20%\rdone\n', 'b\r', '\nc\r50%', '\r100%\n')).toEqual(['a', 'done', 'b', '100%']);
  });

  it('cuts endless lines and drops what cannot be stored', async () => {
    const lines = await all('x'.repeat(lineCharsMax * 2 + 5), '\0y\n');
    expect(lines.map((it) => it.length)).toEqual([lineCharsMax, lineCharsMax, 6]);
    expect(lines.at(-1)).toBe('xxxxxy');
  });
});
