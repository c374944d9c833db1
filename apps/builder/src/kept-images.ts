import { type BuiltImage, type Engine } from '@kiln/engine';
import { type Logger } from '@kiln/kit';
import { type SignalBus } from '@kiln/queue';
import { everyone } from '@kiln/contract';
import { type Build, type Database, expireKept, forgetKept, listKept, listWaitingForStore } from '@kiln/persistence';

/** Images whose push failed for good: they stay in the store for a while, so that a retry need not build them again. */
export interface KeptImages {
  /** What a failed build records of the image that it leaves here. */
  mark(image: BuiltImage): Pick<Build, 'keptOn' | 'keptImage'>;
  /** The image that a build is to publish, when it is here. */
  find(build: Build): Promise<BuiltImage | undefined>;
  /** Forgets an image, and that it was kept. */
  discard(image: BuiltImage): Promise<void>;
  /** Stops looking for builds that want what is here, and waits for those under way. */
  close: () => Promise<void>;
}

const lookEveryMs = 1000;
const expireEveryMs = 60_000;

/**
 * @param store names this store for good, also when the builder is started again
 * @param run builds one that waits for an image of this store
 */
export function openKeptImages(
  deps: {
    db: Database;
    engine: Engine;
    log: Logger;
    store: string;
    /** Whose builds the builder takes. */
    pool: string;
    keepSeconds: number;
    hasSlot: () => boolean;
    /** Images that an earlier process left in the store. */
    keptAtStart: readonly string[];
    signals: SignalBus;
  },
  run: (waiting: { id: string; attempt: number }) => Promise<void>,
): KeptImages {
  const { db, engine, log, store } = deps;
  const here = new Set(deps.keptAtStart);
  const underWay = new Map<string, Promise<void>>();
  let closed = false;

  const discard = async (image: BuiltImage): Promise<void> => {
    await engine.discard(image);
    // A build that is told of an image that is gone is built anew.
    await forgetKept(db, store, image.id).then(
      () => here.delete(image.id),
      () => undefined,
    );
  };
  const look = async (): Promise<void> => {
    // Nobody waits for what is not here.
    if (here.size === 0) return;
    for (const it of await listWaitingForStore(db, store, deps.pool)) {
      // Those for which there is no slot are announced to everybody in a while.
      if (closed || !deps.hasSlot()) return;
      if (underWay.has(it.id)) continue;
      underWay.set(
        it.id,
        run(it)
          .catch((error: unknown) => log.error({ err: error, buildId: it.id }, 'job failed'))
          .finally(() => underWay.delete(it.id)),
      );
    }
  };
  const expire = async (): Promise<void> => {
    for (const id of await expireKept(db, store, deps.keepSeconds)) await discard({ id });
  };
  const lookNow = () => void look().catch(() => undefined);
  const timers = [
    setInterval(lookNow, lookEveryMs),
    setInterval(() => void expire().catch(() => undefined), expireEveryMs),
  ];
  const unsubscribe = deps.signals.on('admitted', everyone, lookNow);
  return {
    mark(image) {
      here.add(image.id);
      return { keptOn: store, keptImage: image.id };
    },
    async find(build) {
      if (build.keptImage === null || build.keptOn !== store) return undefined;
      return (await engine.has({ id: build.keptImage })) ? { id: build.keptImage } : undefined;
    },
    discard,
    async close() {
      closed = true;
      unsubscribe();
      timers.forEach(clearInterval);
      await Promise.all(underWay.values());
    },
  };
}

/**
 * What of a store is not to be tidied up at the start; nothing when PostgreSQL cannot be asked: it can be built again.
 */
export const keptAtStart = (db: Database, store: string): Promise<string[]> => listKept(db, store).catch(() => []);
