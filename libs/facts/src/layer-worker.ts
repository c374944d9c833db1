// A thread of its own for one layer: what it makes of it, a process that serves others does not feel.
import { createHash } from 'node:crypto';
import { parentPort, workerData } from 'node:worker_threads';
import { type FromWorker, type LayerOfWorker, type ToWorker } from './layer-messages.ts';
import { readLayer } from './read-layer.ts';

const port = parentPort;
if (!port) throw new Error('it is started as a thread');
const tell = (it: FromWorker): void => port.postMessage(it);

const waiting: Buffer[] = [];
let ended = false;
let wake: () => void = () => undefined;
port.on('message', (it: ToWorker) => {
  if (it.kind === 'chunk') waiting.push(Buffer.from(it.bytes.buffer, it.bytes.byteOffset, it.bytes.byteLength));
  else ended = true;
  wake();
});

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

const { mediaType } = workerData as LayerOfWorker;
readLayer(incoming(), mediaType).then(
  (facts) => tell({ kind: 'done', facts, digest: `sha256:${hash.digest('hex')}` }),
  (error: unknown) => tell({ kind: 'failed', message: error instanceof Error ? error.message : String(error) }),
);
