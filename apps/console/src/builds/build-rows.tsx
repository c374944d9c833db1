import { Button, Text } from '@mantine/core';
import { useWindowVirtualizer } from '@tanstack/react-virtual';
import { useEffect, useLayoutEffect, useRef, useState } from 'react';
import { Link } from 'wouter';
import type { BuildSummary } from '../api/replies.ts';
import { duration } from '../components/format.ts';
import { StateBadge } from '../components/state-badge.tsx';
import { useNow, When } from '../components/when.tsx';
import classes from './build-rows.module.css';
import type { ListedBuilds } from './use-builds.ts';

const wide = '(min-width: 62em)';

/** Rows are all of one height, so that nothing moves when they change. */
function useRowHeight(): number {
  const [isWide, setWide] = useState(() => matchMedia(wide).matches);
  useEffect(() => {
    const media = matchMedia(wide);
    const change = () => setWide(media.matches);
    media.addEventListener('change', change);
    return () => media.removeEventListener('change', change);
  }, []);
  return isWide ? 44 : 72;
}

/** The rows that are in sight, of however many; more are read before the end comes into sight. */
export function BuildRows({ listed }: { listed: ListedBuilds }) {
  const { builds, hasMore, moreFailed, isLoadingMore, loadMore, newer, showNewer } = listed;
  const height = useRowHeight();
  const table = useRef<HTMLDivElement>(null);
  const [top, setTop] = useState(0);
  useLayoutEffect(() => setTop((table.current?.getBoundingClientRect().top ?? 0) + window.scrollY), []);
  const rows = useWindowVirtualizer({
    count: builds.length + (hasMore ? 1 : 0),
    estimateSize: () => height,
    overscan: 12,
    scrollMargin: top,
  });
  useEffect(() => {
    rows.measure();
  }, [height, rows]);
  const items = rows.getVirtualItems();
  const last = items.at(-1)?.index ?? 0;
  useEffect(() => {
    if (hasMore && !isLoadingMore && !moreFailed && last >= builds.length - 40) loadMore();
  }, [hasMore, isLoadingMore, moreFailed, last, builds.length, loadMore]);
  return (
    <div role="table" aria-label="Builds" aria-rowcount={hasMore ? -1 : builds.length + 1} className={classes['table']}>
      {newer > 0 && (
        <Button
          className={classes['newer']}
          size="xs"
          radius="xl"
          onClick={() => {
            window.scrollTo({ top: 0 });
            showNewer();
          }}
        >
          {newer === 1 ? '1 new build' : `${newer} new builds`}
        </Button>
      )}
      <div role="rowgroup">
        <div role="row" aria-rowindex={1} className={`${classes['row'] ?? ''} ${classes['head'] ?? ''}`}>
          {['Image', 'State', 'Reference', 'Created', 'Took'].map((it) => (
            <span key={it} role="columnheader">
              {it}
            </span>
          ))}
        </div>
      </div>
      <div role="rowgroup" ref={table} style={{ height: rows.getTotalSize(), position: 'relative' }}>
        {items.map((it) => {
          const build = builds[it.index];
          return (
            <div
              key={build?.ImageBuildId ?? 'more'}
              role="row"
              aria-rowindex={it.index + 2}
              className={classes['row']}
              style={{ height, transform: `translateY(${it.start - top}px)` }}
            >
              {build ? (
                <BuildRow build={build} />
              ) : (
                <span role="cell">
                  {moreFailed ? (
                    <Button size="compact-xs" variant="default" onClick={loadMore}>
                      The rest did not come: try again
                    </Button>
                  ) : (
                    'Loading more…'
                  )}
                </span>
              )}
            </div>
          );
        })}
      </div>
    </div>
  );
}

function BuildRow({ build }: { build: BuildSummary }) {
  return (
    <>
      <span role="cell" className={classes['name']}>
        <Link href={`/builds/${build.ImageBuildId}`}>{build.ImageName}</Link>
      </span>
      <span role="cell" className={classes['state']}>
        <StateBadge state={build.State} />
        {build.Error && (
          <Text size="xs" c="dimmed" truncate>
            {build.Error.Reason ?? build.Error.Code}
          </Text>
        )}
      </span>
      <span role="cell" className={classes['reference']} title={build.ImageUri}>
        {build.ImageUri}
      </span>
      <span role="cell" className={classes['when']}>
        <When at={build.GmtCreateTime} />
      </span>
      <span role="cell" className={classes['took']}>
        <Took build={build} />
      </span>
    </>
  );
}

/** From the first attempt to the end, or to now. */
function Took({ build }: { build: Pick<BuildSummary, 'GmtStartTime' | 'GmtFinishTime'> }) {
  if (build.GmtStartTime === undefined) return '—';
  if (build.GmtFinishTime !== undefined)
    return duration(Date.parse(build.GmtFinishTime) - Date.parse(build.GmtStartTime));
  return <Elapsed since={build.GmtStartTime} />;
}

export function Elapsed({ since }: { since: string }) {
  const now = useNow();
  return <>{duration(Math.max(0, Math.floor((now - Date.parse(since)) / 1000) * 1000))}</>;
}
