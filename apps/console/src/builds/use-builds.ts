import { isTerminal, liveStates } from '@kiln/domain/build-states';
import { type InfiniteData, useInfiniteQuery, useQueries, useQuery, useQueryClient } from '@tanstack/react-query';
import { useMemo } from 'react';
import { answer, api } from '../api/api-client.ts';
import { useRefetchInterval } from '../api/live-events.ts';
import type { BuildList, BuildSummary } from '../api/replies.ts';

export interface BuildFilter {
  Name?: string;
  State?: string;
  WorkspaceId?: string;
}

const pageSize = 100;
const list = (
  query: BuildFilter & { Since?: string | undefined; Limit?: number; Cursor?: string | undefined },
  signal: AbortSignal,
): Promise<BuildList> => answer(api.GET('/api/v1/imagebuilds', { params: { query }, signal }));
const one = (id: string, signal: AbortSignal): Promise<BuildSummary> =>
  answer(api.GET('/api/v1/imagebuilds/{ImageBuildId}', { params: { path: { ImageBuildId: id } }, signal }));

export interface ListedBuilds {
  builds: BuildSummary[];
  /**
   * Builds that belong into the list since it was read; they are shown when asked for, so that nothing moves under a
   * reader's hand.
   */
  newer: number;
  showNewer: () => void;
  isPending: boolean;
  error: Error | null;
  again: () => void;
  hasMore: boolean;
  /** Why the next page did not come; it is read again when somebody asks for it. */
  moreFailed: boolean;
  isLoadingMore: boolean;
  loadMore: () => void;
}

/**
 * A list of builds, page by page as it is scrolled. Pages are read once; what is live in them is kept up to date from
 * two small lists that are read again and again: the newest builds, and those that have not ended.
 */
export function useBuilds(filter: BuildFilter): ListedBuilds {
  const client = useQueryClient();
  const pagesKey = ['builds', 'pages', filter];
  const pages = useInfiniteQuery({
    queryKey: pagesKey,
    queryFn: ({ pageParam, signal }) => list({ ...filter, Limit: pageSize, Cursor: pageParam }, signal),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page: BuildList) => page.NextCursor,
    staleTime: Infinity,
    refetchOnWindowFocus: false,
  });
  const newest = useQuery({
    queryKey: ['builds', 'newest', filter],
    queryFn: ({ signal }) => list({ ...filter, Limit: pageSize }, signal),
    refetchInterval: useRefetchInterval(2500),
  });
  const read = useMemo(() => (pages.data?.pages ?? []).flatMap((it) => it.ImageBuilds), [pages.data]);
  const readIds = useMemo(() => new Set(read.map((it) => it.ImageBuildId)), [read]);
  const newestIds = useMemo(() => new Set(newest.data?.ImageBuilds.map((it) => it.ImageBuildId)), [newest.data]);
  // Live ones that are not, or no longer, among the newest.
  const older = useMemo(
    () => read.filter((it) => !isTerminal(it.State) && !newestIds.has(it.ImageBuildId)).slice(-pageSize),
    [read, newestIds],
  );
  const oldest = older.at(-1)?.GmtCreateTime;
  const live = useQuery({
    queryKey: ['builds', 'live', filter, oldest],
    queryFn: ({ signal }) => list({ ...filter, State: liveStates.join(','), Since: oldest, Limit: pageSize }, signal),
    enabled: oldest !== undefined,
    refetchInterval: useRefetchInterval(4000),
  });
  const liveIds = useMemo(() => new Set(live.data?.ImageBuilds.map((it) => it.ImageBuildId)), [live.data]);
  // Those that are no longer live are asked for once each; of a list that goes on, nothing is known of the rest.
  const gone =
    live.data?.NextCursor === undefined && live.data ? older.filter((it) => !liveIds.has(it.ImageBuildId)) : [];
  const ended = useQueries({
    queries: gone.map((it) => ({
      queryKey: ['build-summary', it.ImageBuildId],
      queryFn: ({ signal }: { signal: AbortSignal }) => one(it.ImageBuildId, signal),
      staleTime: Infinity,
    })),
    combine: (answers) => answers.flatMap((it) => (it.data ? [it.data] : [])),
  });
  const builds = useMemo(() => {
    const latest = new Map<string, BuildSummary>();
    for (const it of [...(live.data?.ImageBuilds ?? []), ...ended, ...(newest.data?.ImageBuilds ?? [])])
      latest.set(it.ImageBuildId, it);
    return read.map((it) => latest.get(it.ImageBuildId) ?? it);
  }, [read, newest.data, live.data, ended]);
  const newer = pages.isPending ? 0 : [...newestIds].filter((it) => !readIds.has(it)).length;
  const { fetchNextPage, refetch } = pages;
  return {
    builds,
    newer,
    showNewer() {
      // Only the first page is read anew, however many were there.
      client.setQueryData<InfiniteData<BuildList, string | undefined>>(pagesKey, (old) =>
        old ? { pages: old.pages.slice(0, 1), pageParams: old.pageParams.slice(0, 1) } : old,
      );
      void refetch();
    },
    isPending: pages.isPending,
    error: pages.data ? null : pages.error,
    again: () => void refetch(),
    hasMore: pages.hasNextPage,
    moreFailed: pages.isFetchNextPageError,
    isLoadingMore: pages.isFetchingNextPage,
    loadMore: () => void fetchNextPage(),
  };
}
