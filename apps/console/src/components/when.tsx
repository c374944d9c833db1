import { useEffect, useState } from 'react';
import { ago, exact } from './format.ts';

/** The present, to the second or so, for whatever shows how long something has taken. */
export function useNow(everyMs = 1000): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);
  return now;
}

/** How long ago a moment was, with the moment itself on hover. */
export function When({ at }: { at: string }) {
  const now = useNow(10_000);
  return (
    <time dateTime={at} title={exact(at)}>
      {ago(at, now)}
    </time>
  );
}
