import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { findCommit } from './find-commit.ts';
import { flush, packetLine, packetLines, pastFirstPart } from './packet-lines.ts';

const [one, two] = ['1'.repeat(40), '2'.repeat(40)];
/** The same bytes in pieces of every size. */
const pieces = (text: string): AsyncIterable<Buffer>[] =>
  [1, 3, 7, 10_000].map((size) => Readable.from(Buffer.from(text).toString('latin1').match(new RegExp(`[^]{1,${size}}`, 'g'))?.map((it) => Buffer.from(it, 'latin1')) ?? []) as AsyncIterable<Buffer>); // prettier-ignore
const listed = [
  packetLine(`${one} HEAD\0agent=git shallow\n`),
  packetLine(`${one} refs/heads/main\n`),
  packetLine(`${one} refs/heads/v1\n`),
  packetLine(`${two} refs/tags/v1\n`),
  packetLine(`${one} refs/tags/v1^{}\n`),
  packetLine(`${two} refs/heads/feature/x\n`),
].join('');

it('finds what a name stands for, as git does: tags before branches, and what a tag was set on', async () => {
  for (const [ref, commit] of [
    [undefined, one],
    ['HEAD', one],
    ['main', one],
    ['v1', one],
    ['refs/heads/v1', one],
    ['heads/feature/x', two],
    ['feature/x', two],
    ['feature', undefined],
    ['nope', undefined],
    ['v1^{}', undefined],
  ] as const)
    // prettier-ignore
    for (const it of pieces(listed + flush)) expect([ref, await findCommit(it, ref)]).toEqual([ref, commit]);
});

it('gives what follows the first part, whatever pieces it comes in', async () => {
  for (const it of pieces(`${listed}${flush}0008NAK\nPACK…`))
    expect((await buffer(Readable.from(pastFirstPart(it)))).toString('latin1')).toBe(
      Buffer.from('0008NAK\nPACK…').toString('latin1'),
    );
});

it.each(['<html>', 'zzzz', '00', '0005', '-001', '0x10aaaaaaaaaaaaaa'])('ends at nonsense: %s', async (text) => {
  for (const it of pieces(text))
    await expect(buffer(Readable.from(packetLines(it)))).rejects.toMatchObject({ code: 'SourceInvalid' }); // prettier-ignore
  for (const it of pieces(text)) {
    const read = buffer(Readable.from(pastFirstPart(it)));
    if (/^[0-9a-f]{2,4}$/i.test(text)) expect((await read).length).toBe(0);
    else await expect(read).rejects.toMatchObject({ code: 'SourceInvalid' });
  }
});
