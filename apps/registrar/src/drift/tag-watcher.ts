import { openPollLoop, type PollLoop } from '@kiln/kit';
import { claimTags } from '@kiln/persistence';
import { askTag, type AskDeps } from './ask-tag.ts';

/** Asks registries what they hold for the catalogue's tags, those of each registry one after the other. */
export const openTagWatcher = (deps: AskDeps): PollLoop =>
  openPollLoop(
    'asking registries for tags',
    async () => {
      if (deps.schedule.everySeconds === 0) return 0;
      const { claimed, scheduled } = await claimTags(deps.db, deps.schedule);
      const hosts = new Set(claimed.map((it) => it.host));
      await Promise.all(
        [...hosts].map(async (host) => {
          for (const it of claimed.filter((tag) => tag.host === host)) await askTag(deps, it);
        }),
      );
      return claimed.length + scheduled;
    },
    deps.log,
  );
