import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';
import { ask, type Query } from '../api/ask.ts';
import { type BuildList, type BuildSummary, isOver, liveStates } from '../api/replies.ts';

export interface BuildFilter extends Query {
  Name?: string;
  State?: string;
  WorkspaceId?: string;
}

const pageSize = 100;
const list = async (query: Query, signal: AbortSignal): Promise<BuildList> =>
  (await ask('GET', '/api/v1/imagebuilds', { query, signal })) as BuildList;

export interface ListedBuilds {
  builds: BuildSummary[];
  /** Builds that have come since the list was read; they are shown when asked for, so that nothing moves under a reader's hand. */
  newer: number;
  showNewer: () => void;
  isPending: boolean;
  error: Error | null;
  again: () => void;
  hasMore: boolean;
  isLoadingMore: boolean;
  loadMore: () => void;
}

/**
 * A list of builds, page by page as it is scrolled. Pages are read once; what is live in them is kept up to date from two small lists that
 * are read again and again: the newest builds, and those that have not ended.
 */
export function useBuilds(filter: BuildFilter): ListedBuilds {
  const pages = useInfiniteQuery({
    queryKey: ['builds', 'pages', filter],
    queryFn: ({ pageParam, signal }) => list({ ...filter, Limit: pageSize, Cursor: pageParam }, signal),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page: BuildList) => page.NextCursor,
    staleTime: Infinity,
    refetchOnWindowFocus: false,
  });
  const newest = useQuery({
    queryKey: ['builds', 'newest', filter],
    queryFn: ({ signal }) => list({ ...filter, Limit: pageSize }, signal),
    refetchInterval: 2500,
  });
  const read = useMemo(() => (pages.data?.pages ?? []).flatMap((it) => it.ImageBuilds), [pages.data]);
  const newestIds = useMemo(() => new Set(newest.data?.ImageBuilds.map((it) => it.ImageBuildId)), [newest.data]);
  // Live ones that are too old to be among the newest.
  const older = useMemo(
    () => read.filter((it) => !isOver(it.State) && !newestIds.has(it.ImageBuildId)).slice(-pageSize),
    [read, newestIds],
  );
  const oldest = older.at(-1)?.GmtCreateTime;
  const live = useQuery({
    queryKey: ['builds', 'live', filter, oldest],
    queryFn: ({ signal }) => list({ ...filter, State: liveStates.join(','), Since: oldest, Limit: pageSize }, signal),
    enabled: oldest !== undefined,
    refetchInterval: 4000,
  });
  const gone = older.filter(
    (it) => live.data && !live.data.ImageBuilds.some((one) => one.ImageBuildId === it.ImageBuildId),
  );
  const ended = useQuery({
    queryKey: ['builds', 'ended', gone.map((it) => it.ImageBuildId)],
    queryFn: ({ signal }) =>
      Promise.all(
        gone
          .slice(0, 20)
          .map(async (it) => (await ask('GET', `/api/v1/imagebuilds/${it.ImageBuildId}`, { signal })) as BuildSummary),
      ),
    enabled: gone.length > 0,
    staleTime: Infinity,
  });
  const builds = useMemo(() => {
    const latest = new Map<string, BuildSummary>();
    for (const it of [...(live.data?.ImageBuilds ?? []), ...(ended.data ?? []), ...(newest.data?.ImageBuilds ?? [])])
      latest.set(it.ImageBuildId, it);
    return read.map((it) => latest.get(it.ImageBuildId) ?? it);
  }, [read, newest.data, live.data, ended.data]);
  const first = read[0];
  const newer =
    first === undefined
      ? (newest.data?.ImageBuilds.length ?? 0)
      : (newest.data?.ImageBuilds.filter((it) => it.GmtCreateTime > first.GmtCreateTime).length ?? 0);
  const { fetchNextPage, refetch } = pages;
  return {
    builds,
    newer: pages.isPending ? 0 : newer,
    showNewer: () => void refetch(),
    isPending: pages.isPending,
    error: pages.data ? null : pages.error,
    again: () => void refetch(),
    hasMore: pages.hasNextPage,
    isLoadingMore: pages.isFetchingNextPage,
    loadMore: () => void fetchNextPage(),
  };
}
