import { setTimeout as sleep } from 'node:timers/promises';
import { asFault, Fault } from '@kiln/domain';
import type { BuiltImage } from '@kiln/engine';
import type { Sealer } from '@kiln/auth';
import { type Logger, metrics } from '@kiln/kit';
import { type Build, type Database, loadBuild, noteCacheRefused } from '@kiln/persistence';
import type { Gateway } from '@kiln/registry';
import { accessForBuild } from '@kiln/usecases';
import { cachePlaceOf } from './earlier-layers.ts';

/** Sends layers of builds that have succeeded to their registries, while other builds run. */
export interface CacheExports {
  /**
   * Takes over an image that was pushed: it is discarded once its layers are sent, or its build has not succeeded.
   * @param tag of its `CachePlace`
   * @returns false when it does not take it, since enough are on their way
   */
  take(build: Build, tag: string, made: { image: BuiltImage; gateway: Gateway }): boolean;
  /** Whether layers for this tag were not sent that should have been: the next build makes up for it. */
  owes(tag: string): boolean;
  /** Gives up those on their way. */
  close: () => Promise<void>;
}

/** From the hand-over of a build until all its layers are sent. */
const lastsMs = 600_000;
/** Pauses between two looks whether a build has succeeded, doubled from the first to the longest. */
const [askMs, askMaxMs] = [200, 5000];
/** More tags than that are not remembered. */
const owedMax = 1000;

/** @param max how many may be on their way at once */
export function openCacheExports(
  { db, sealer, log }: { db: Database; sealer: Sealer; log: Logger },
  max: number,
): CacheExports {
  const closing = new AbortController();
  /** By tags. */
  const underWay = new Map<string, Promise<void>>();
  const owed = new Set<string>();

  /** Waits for the registrar's verdict. */
  const hasSucceeded = async ({ id, attempt }: Build, signal: AbortSignal): Promise<boolean> => {
    for (let pauseMs = askMs; ; pauseMs = Math.min(2 * pauseMs, askMaxMs)) {
      const now = await loadBuild(db, id);
      if (now?.attempt !== attempt || now.state !== 'registering') return now?.state === 'succeeded';
      await sleep(pauseMs, undefined, { signal });
    }
  };

  const whyNot = (signal: AbortSignal, gateway: Gateway, error: unknown): Fault => {
    if (closing.signal.aborted) return new Fault('ServiceUnavailable', 'the builder stops');
    if (signal.aborted) return new Fault('PushFailed', `they were not sent within ${lastsMs / 1000} s`);
    // What the engine says of it is vague.
    return gateway.fault ?? asFault(error);
  };

  const send = async (
    build: Build,
    { image, gateway }: { image: BuiltImage; gateway: Gateway },
  ): Promise<'sent' | 'refused' | 'failed' | 'not wanted'> => {
    const signal = AbortSignal.any([closing.signal, AbortSignal.timeout(lastsMs)]);
    try {
      if (!(await hasSucceeded(build, signal))) return 'not wanted';
      // Taken anew: a password may have been changed while the build ran.
      const place = cachePlaceOf(await accessForBuild(db, sealer, build), build);
      if (!place) return 'not wanted';
      const { access, repository, tag, connection } = place;
      gateway.writeTo({ access, repository, tag, signal });
      try {
        await image.sendCache(signal);
        return 'sent';
      } catch (error) {
        const { code } = whyNot(signal, gateway, error);
        if (code !== 'RegistryRefused' && code !== 'PushDenied') throw error;
        // It would refuse the next ones, too.
        await noteCacheRefused(db, connection);
        log.warn({ buildId: build.id, registry: access.host, repository }, 'the registry keeps no layers');
        return 'refused';
      }
    } catch (error) {
      const { code, message } = whyNot(signal, gateway, error);
      log.warn({ buildId: build.id, code, err: message }, 'layers not kept in the registry');
      return 'failed';
    } finally {
      await image.discard().catch((error: unknown) => log.warn({ err: error }, 'image not let go'));
    }
  };

  const owe = (tag: string): void => {
    if (owed.size < owedMax) owed.add(tag);
  };

  return {
    owes: (tag) => owed.has(tag),
    take(build, tag, made) {
      if (closing.signal.aborted || underWay.size >= max || underWay.has(tag)) {
        owe(tag);
        return false;
      }
      const work = send(build, made).then((result) => {
        underWay.delete(tag);
        metrics.cacheExports.inc({ result });
        if (result === 'failed') owe(tag);
        else owed.delete(tag);
      });
      underWay.set(tag, work);
      return true;
    },
    async close() {
      closing.abort();
      await Promise.all(underWay.values());
    },
  };
}
