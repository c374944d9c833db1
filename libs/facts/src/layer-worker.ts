// A thread of its own: what a layer makes of it, a process that serves others does not feel.
import { createHash } from 'node:crypto';
import { parentPort } from 'node:worker_threads';
import { type ToWorker } from './layer-messages.ts';
import { readLayer } from './read-layer.ts';

const port = parentPort;
if (!port) throw new Error('it is started as a thread');

let take: (chunk: Buffer | undefined) => void = () => undefined;
let waiting: Buffer[] = [];
let ended = false;
let hash = createHash('sha256');

async function* incoming(): AsyncGenerator<Buffer> {
  for (;;) {
    const [chunk] = waiting.splice(0, 1);
    if (chunk) {
      hash.update(chunk);
      yield chunk;
      port?.postMessage({ kind: 'taken', bytes: chunk.length });
    } else if (ended) return;
    else await new Promise<unknown>((done) => (take = done));
  }
}

port.on('message', (it: ToWorker) => {
  if (it.kind === 'begin') {
    waiting = [];
    ended = false;
    hash = createHash('sha256');
    readLayer(incoming(), it.mediaType).then(
      (facts) => port.postMessage({ kind: 'done', facts, digest: `sha256:${hash.digest('hex')}` }),
      (error: unknown) =>
        port.postMessage({ kind: 'failed', message: error instanceof Error ? error.message : String(error) }),
    );
    return;
  }
  if (it.kind === 'chunk') waiting.push(Buffer.from(it.bytes.buffer, it.bytes.byteOffset, it.bytes.byteLength));
  else ended = true;
  take(undefined);
});
