import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { asFault, Fault } from '@kiln/domain';
import { type BuiltImage } from '@kiln/engine';
import { type Logger, metrics } from '@kiln/kit';
import { type Build, type Database, loadBuild, noteCache } from '@kiln/persistence';
import { type Gateway, type LayerCachePlace } from '@kiln/registry';
import { type BuildAccess } from '@kiln/usecases';

/** Where layers of a build are kept, and by which of its account's connections. */
export interface CachePlace extends LayerCachePlace {
  connectionId: string;
}

/** @returns undefined where the connection names no repository for layers, or its registry has refused them */
export function cachePlaceOf({ connection, connected }: BuildAccess, build: Build): CachePlace | undefined {
  if (!connected || !connection?.cacheRepository || connection.takesCache === false) return undefined;
  // What others write is never read, though they write to the same repository.
  const key = JSON.stringify([build.accountId, build.host, build.repository, build.request.platform ?? '']);
  const tag = `kiln-${createHash('sha256').update(key).digest('hex').slice(0, 32)}`;
  return { access: connected, repository: connection.cacheRepository, tag, connectionId: connection.id };
}

/** Sends layers of builds that have succeeded to their registries, while other builds run. */
export interface CacheExports {
  /**
   * Takes over an image that was pushed: it is discarded once its layers are sent, or its build has not succeeded.
   * @returns false when it does not take it, since enough are on their way
   */
  take(build: Build, place: CachePlace, made: { image: BuiltImage; gateway: Gateway }): boolean;
  /** Gives up those on their way. */
  close: () => Promise<void>;
}

/** From the hand-over of a build until all its layers are sent. */
const lastsMs = 600_000;
const askEveryMs = 200;

/** @param max how many may be on their way at once */
export function openCacheExports(db: Database, max: number, log: Logger): CacheExports {
  const closing = new AbortController();
  /** By tags. */
  const underWay = new Map<string, Promise<void>>();

  /** Waits for the registrar's verdict. */
  const hasSucceeded = async ({ id, attempt }: Build, signal: AbortSignal): Promise<boolean> => {
    for (;;) {
      const now = await loadBuild(db, id);
      if (now?.attempt !== attempt || now.state !== 'registering') return now?.state === 'succeeded';
      await sleep(askEveryMs, undefined, { signal });
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
    { access, repository, tag, connectionId }: CachePlace,
    { image, gateway }: { image: BuiltImage; gateway: Gateway },
  ): Promise<'sent' | 'refused' | 'failed' | 'not wanted'> => {
    const signal = AbortSignal.any([closing.signal, AbortSignal.timeout(lastsMs)]);
    try {
      if (!(await hasSucceeded(build, signal))) return 'not wanted';
      gateway.writeTo({ access, repository, tag });
      await image.sendCache(signal);
      return 'sent';
    } catch (error) {
      const { code, message } = whyNot(signal, gateway, error);
      const where = `${access.host}/${repository}`;
      log.warn({ buildId: build.id, code, err: message, repository: where }, 'layers not kept in the registry');
      if (code !== 'RegistryRefused' && code !== 'PushDenied') return 'failed';
      // It would refuse the next ones, too.
      await noteCache(db, build.accountId, connectionId, false).catch(() => undefined);
      return 'refused';
    } finally {
      await image.discard();
    }
  };

  return {
    take(build, place, made) {
      if (closing.signal.aborted || underWay.size >= max || underWay.has(place.tag)) return false;
      const work = send(build, place, made)
        .then((result) => metrics.cacheExports.inc({ result }))
        .finally(() => underWay.delete(place.tag));
      underWay.set(place.tag, work);
      return true;
    },
    async close() {
      closing.abort();
      await Promise.all(underWay.values());
    },
  };
}
