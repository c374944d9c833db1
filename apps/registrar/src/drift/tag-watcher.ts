import { openPollLoop, type PollLoop } from '@kiln/kit';
import { claimTags, type WatchedTag } from '@kiln/persistence';
import { askTag, type AskDeps } from './ask-tag.ts';

/** Registries that are asked at once. */
const hostsMax = 8;

/** Asks registries what they hold for the catalogue's tags: those of each one after the other, and slow ones by themselves. */
export function openTagWatcher(deps: AskDeps): PollLoop {
  const { db, schedule, log } = deps;
  const asking = new Map<string, Promise<void>>();
  let isClosing = false;

  async function askHost(tags: readonly WatchedTag[]): Promise<void> {
    // Whose turn it did not come to is taken again once the claim is over.
    for (const it of tags) if (isClosing || !(await askTag(deps, it))) return;
  }

  const loop = openPollLoop(
    'asking registries for tags',
    async () => {
      if (schedule.everySeconds === 0 || isClosing || asking.size >= hostsMax) return 0;
      const claimed = await claimTags(db, schedule, [...asking.keys()]);
      for (const host of new Set(claimed.map((it) => it.host))) {
        const work = askHost(claimed.filter((it) => it.host === host))
          .catch((error: unknown) => log.warn({ err: error, host }, 'tags of a registry not settled'))
          .finally(() => {
            asking.delete(host);
            loop.wake();
          });
        asking.set(host, work);
      }
      return claimed.length;
    },
    log,
  );
  return {
    wake: () => loop.wake(),
    async close() {
      isClosing = true;
      await loop.close();
      await Promise.all(asking.values());
    },
  };
}
