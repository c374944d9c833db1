import { Worker } from 'node:worker_threads';
import { Fault, type LayerFacts } from '@kiln/domain';
import { type FromWorker, type LayerOfWorker, type ToWorker } from './layer-messages.ts';

/** The most that the thread may hold, in MiB; one that needs more ends, and the layer with it. */
const heapMib = 160;

/** Bytes on their way to the thread. */
const aheadBytesMax = 4 << 20;

export interface LayerReader {
  /**
   * Reads a layer in a thread of its own.
   * @param digest that the bytes have to have
   * @throws Fault LayerUnreadable for one that is no whole tar, or that takes too much memory or time
   */
  read(
    bytes: AsyncIterable<Buffer>,
    layer: { digest: string; mediaType: string },
    signal: AbortSignal,
  ): Promise<LayerFacts>;
}

const unreadable = (why: string): Fault => new Fault('LayerUnreadable', `the layer cannot be read: ${why}`);

/**
 * Starts a thread for each layer: its memory is given back, and none feels what another one did.
 * @param thread what it runs, compiled
 */
export const openLayerReader = (thread = new URL('./layer-worker.js', import.meta.url)): LayerReader => ({
  async read(bytes, { digest, mediaType }, signal) {
    const worker = new Worker(thread, {
      resourceLimits: { maxOldGenerationSizeMb: heapMib, maxYoungGenerationSizeMb: 16 },
      execArgv: [],
      workerData: { mediaType } satisfies LayerOfWorker,
    });
    const tell = (it: ToWorker, move: ArrayBuffer[] = []) => worker.postMessage(it, move);
    let ahead = 0;
    let moved: () => void = () => undefined;
    let settled = false;
    const result = new Promise<LayerFacts>((done, fail) => {
      worker.on('message', (it: FromWorker) => {
        if (it.kind === 'done')
          if (it.digest === digest) done(it.facts);
          else fail(unreadable(`its bytes are ${it.digest}, and not ${digest}`));
        else if (it.kind === 'failed') fail(unreadable(it.message));
        else ahead -= it.bytes;
        moved();
      });
      worker.on('error', (error: NodeJS.ErrnoException) =>
        fail(
          unreadable(error.code === 'ERR_WORKER_OUT_OF_MEMORY' ? `it takes more than ${heapMib} MiB` : error.message),
        ),
      );
      worker.on('exit', () => fail(unreadable('its thread ended')));
      signal.addEventListener('abort', () => fail(unreadable('it takes too long')), { once: true });
    }).finally(() => {
      settled = true;
      moved();
    });
    result.catch(() => undefined);
    try {
      for await (const chunk of bytes) {
        if (settled) break;
        // A copy of its own, since what is moved is gone here.
        const own = new Uint8Array(chunk);
        ahead += own.length;
        tell({ kind: 'chunk', bytes: own }, [own.buffer]);
        while (ahead > aheadBytesMax && !settled) await new Promise<void>((done) => (moved = done));
      }
      tell({ kind: 'end' });
      return await result;
    } finally {
      await worker.terminate();
    }
  },
});
