import { lineCharsMax, LineSplitter } from './lines.ts';

const all = (...chunks: (string | Buffer)[]): string[] => {
  const splitter = new LineSplitter();
  const lines = chunks.flatMap((it) => splitter.take(Buffer.from(it)));
  return [...lines, ...splitter.end()].map((it) => it.text);
};

describe('LineSplitter', () => {
  it('joins lines across chunks, in the middle of a character too', () => {
    const text = Buffer.from('grüße\nb');
    expect(all(text.subarray(0, 3), text.subarray(3))).toEqual(['grüße', 'b']);
  });

  it('takes CRLF as one end, in two chunks too, and shows the last state of a progress bar', () => {
    expect(all('a\r\n10%\r20%\rdone\n', 'b\r', '\nc\r50%', '\r100%\n')).toEqual(['a', 'done', 'b', '100%']);
  });

  it('cuts endless lines and drops what cannot be stored', () => {
    const lines = all('x'.repeat(lineCharsMax * 2 + 5), '\0y\n');
    expect(lines.map((it) => it.length)).toEqual([lineCharsMax, lineCharsMax, 6]);
    expect(lines.at(-1)).toBe('xxxxxy');
  });
});
