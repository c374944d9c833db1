import type { ShownEvent } from '@kiln/contract';
import { type QueryClient, useQueryClient } from '@tanstack/react-query';
import { api } from './api-client.ts';
import { createContext, useContext, useEffect, useState } from 'react';

const ofBuilds = [['builds', 'newest'], ['builds', 'live'], ['builds', 'latest'], ['queues'], ['workers']];
const ofImages = [['images'], ['drift'], ['retiring']];
const everything = [...ofBuilds, ...ofImages, ['image'], ['webhooks']];

/** What is asked for again when an event says that it has changed. */
const touched = ({ type, data }: ShownEvent): string[][] => {
  if (type.startsWith('build.')) return ofBuilds;
  return 'ImageId' in data ? [...ofImages, ['image', data.ImageId ?? '']] : [['webhooks']];
};

/** However many events come, what they touch is asked for this often at most. */
const gatherMs = 400;
/** Between two tries to get a stream where there was none. */
const againMs = 5000;

/**
 * Follows the account's events while the page is in sight, and has what they touch asked for again. A page out of sight
 * lets go of its connection: browsers have six for one host, and all its pages share them.
 */
function followEvents(client: QueryClient, onLive: (live: boolean) => void): () => void {
  let source: EventSource | undefined;
  let again: ReturnType<typeof setTimeout> | undefined;
  let gathering: ReturnType<typeof setTimeout> | undefined;
  const stale = new Map<string, string[]>();
  // One round at a time: asking again breaks off a question that is under way.
  const refresh = async () => {
    const keys = [...stale.values()];
    stale.clear();
    await Promise.all(keys.map((queryKey) => client.invalidateQueries({ queryKey })));
    gathering = stale.size > 0 ? setTimeout(() => void refresh(), gatherMs) : undefined;
  };
  const touch = (key: string[]) => {
    stale.set(key.join(' '), key);
    gathering ??= setTimeout(() => void refresh(), gatherMs);
  };
  /** From here on nothing is missed; what came before, while nobody followed, may have been. */
  const begin = () => {
    for (const key of everything) touch(key);
    onLive(true);
  };
  const stop = () => {
    clearTimeout(again);
    source?.close();
    source = undefined;
    onLive(false);
  };
  const start = () => {
    stop();
    const opened = new EventSource('/api/v1/events?Format=sse');
    source = opened;
    for (const it of ['ready', 'reset']) opened.addEventListener(it, begin);
    opened.addEventListener('message', ({ data }) => {
      for (const key of touched(JSON.parse(String(data)) as ShownEvent)) touch(key);
    });
    opened.addEventListener('error', () => {
      onLive(false);
      if (opened.readyState !== EventSource.CLOSED) return;
      again = setTimeout(start, againMs);
      // Where the session is over, this finds out.
      void api.GET('/api/v1/session').catch(() => undefined);
    });
  };
  const look = () => (document.visibilityState === 'visible' ? start() : stop());
  look();
  document.addEventListener('visibilitychange', look);
  return () => {
    document.removeEventListener('visibilitychange', look);
    clearTimeout(gathering);
    stop();
  };
}

const Live = createContext(false);
export const LiveContext = Live.Provider;

/** Whether events come in, for as long as whoever calls it is there. */
export function useLiveEvents(): boolean {
  const client = useQueryClient();
  const [live, setLive] = useState(false);
  useEffect(() => followEvents(client, setLive), [client]);
  return live;
}

const whileLiveMs = 30_000;

/** How often to ask again for what events tell of: now and then, and as often as is named while none come in. */
export function useRefetchInterval(ms: number): number {
  return useContext(Live) ? Math.max(ms, whileLiveMs) : ms;
}
