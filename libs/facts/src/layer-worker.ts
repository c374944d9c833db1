// A thread that reads one layer after the other: what it makes of them, a process that serves others does not feel.
import { createHash } from 'node:crypto';
import { parentPort } from 'node:worker_threads';
import type { FromWorker, ToWorker } from './layer-messages.ts';
import { readLayer } from './read-layer.ts';

const port = parentPort;
if (!port) throw new Error('it is started as a thread');
const tell = (it: FromWorker): void => port.postMessage(it);

const waiting: Buffer[] = [];
let ended = false;
let wake: () => void = () => undefined;
port.on('message', (it: ToWorker) => {
  if (it.kind === 'begin') void read(it.mediaType);
  else if (it.kind === 'chunk') waiting.push(Buffer.from(it.bytes.buffer, it.bytes.byteOffset, it.bytes.byteLength));
  else ended = true;
  wake();
});

async function read(mediaType: string): Promise<void> {
  const hash = createHash('sha256');
  async function* incoming(): AsyncGenerator<Buffer> {
    for (;;) {
      const chunk = waiting.shift();
      if (chunk) {
        hash.update(chunk);
        yield chunk;
        tell({ kind: 'taken', bytes: chunk.length });
      } else if (ended) return;
      else await new Promise<void>((done) => (wake = done));
    }
  }
  ended = false;
  try {
    const facts = await readLayer(incoming(), mediaType);
    tell({ kind: 'done', facts, digest: `sha256:${hash.digest('hex')}` });
  } catch (error) {
    tell({ kind: 'failed', message: error instanceof Error ? error.message : String(error) });
  }
}
