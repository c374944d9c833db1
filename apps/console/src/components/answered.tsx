import type { UseQueryResult } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { Failed, Loading } from './page-state.tsx';

/** What was asked for, once it is there; until then what stands in for it, or why it does not come. */
export function Answered<T>({
  query,
  rows,
  height,
  children,
}: {
  query: Pick<UseQueryResult<T>, 'data' | 'error' | 'isPending' | 'refetch'>;
  /** Of what stands in for it: as many and as high as what will be there. */
  rows: number;
  height?: number;
  children: (data: T) => ReactNode;
}) {
  if (query.isPending) return <Loading rows={rows} {...(height === undefined ? {} : { height })} />;
  if (query.data === undefined) return <Failed error={query.error} again={() => void query.refetch()} />;
  return children(query.data);
}
