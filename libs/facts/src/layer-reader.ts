import { Worker } from 'node:worker_threads';
import { Fault, type LayerFacts } from '@kiln/domain';
import type { FromWorker, ToWorker } from './layer-messages.ts';

/** The most that the thread may hold, in MiB; one that needs more ends, and the layer with it. */
const heapMib = 160;

/** Bytes on their way to the thread. */
const aheadBytesMax = 4 << 20;

/** How long a thread waits for its next layer. */
const idleMs = 30_000;

export interface LayerReader {
  /**
   * Reads a layer in a thread of its own.
   * @param bytes ended by whoever opened them, if they have not all been taken
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
 * Reads each layer in a thread that reads no other one meanwhile. A thread takes 0.4 s of a core to start, more than most
 * layers take, so that it waits for the next layer; one whose layer was not read well is ended.
 * @param program what the threads run, compiled
 */
export function openLayerReader(program = new URL('./layer-worker.js', import.meta.url)): LayerReader {
  const idle = new Set<Worker>();
  const ends = new WeakMap<Worker, NodeJS.Timeout>();

  function start(): Worker {
    const resourceLimits = { maxOldGenerationSizeMb: heapMib, maxYoungGenerationSizeMb: 16 };
    const thread = new Worker(program, { resourceLimits, execArgv: [] });
    thread.on('error', () => undefined);
    return thread.on('exit', () => idle.delete(thread));
  }

  function take(): Worker {
    const [thread] = idle;
    if (!thread) return start();
    idle.delete(thread);
    clearTimeout(ends.get(thread));
    thread.ref();
    return thread;
  }

  /** Keeps it for a while, which keeps no process from ending. */
  function keep(thread: Worker): void {
    const end = () => {
      idle.delete(thread);
      void thread.terminate();
    };
    thread.unref();
    idle.add(thread);
    ends.set(thread, setTimeout(end, idleMs).unref());
  }

  return {
    async read(bytes, layer, signal) {
      const thread = take();
      try {
        const facts = await readIn(thread, bytes, layer, signal);
        keep(thread);
        return facts;
      } catch (error) {
        await thread.terminate();
        throw error;
      }
    },
  };
}

async function readIn(
  thread: Worker,
  bytes: AsyncIterable<Buffer>,
  { digest, mediaType }: { digest: string; mediaType: string },
  signal: AbortSignal,
): Promise<LayerFacts> {
  const tell = (it: ToWorker, move: ArrayBuffer[] = []) => thread.postMessage(it, move);
  let ahead = 0;
  let moved: () => void = () => undefined;
  let settled = false;
  let forget: () => void = () => undefined;
  const result = new Promise<LayerFacts>((done, fail) => {
    const onMessage = (it: FromWorker) => {
      if (it.kind === 'done')
        if (it.digest === digest) done(it.facts);
        else fail(unreadable(`its bytes are ${it.digest}, and not ${digest}`));
      else if (it.kind === 'failed') fail(unreadable(it.message));
      else ahead -= it.bytes;
      moved();
    };
    const onError = ({ code, message }: NodeJS.ErrnoException) =>
      fail(unreadable(code === 'ERR_WORKER_OUT_OF_MEMORY' ? `it takes more than ${heapMib} MiB` : message));
    const onExit = () => fail(unreadable('its thread ended'));
    const onAbort = () => fail(unreadable('it takes too long'));
    thread.on('message', onMessage).on('error', onError).on('exit', onExit);
    signal.addEventListener('abort', onAbort);
    if (signal.aborted) onAbort();
    forget = () => {
      thread.off('message', onMessage).off('error', onError).off('exit', onExit);
      signal.removeEventListener('abort', onAbort);
    };
  }).finally(() => {
    settled = true;
    forget();
    moved();
  });
  tell({ kind: 'begin', mediaType });
  const send = async (): Promise<LayerFacts> => {
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
  };
  // Bytes that do not come hold up nobody: whoever opened them ends them.
  const failed = new Promise<never>((_, fail) => void result.catch(fail));
  return await Promise.race([send(), failed]);
}
