/**
 * Reads a stream whole.
 * @param tooLong made and thrown when it has more than so many bytes
 */
export async function readAtMost(
  stream: AsyncIterable<unknown>,
  bytesMax: number,
  tooLong: () => Error,
): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > bytesMax) throw tooLong();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
