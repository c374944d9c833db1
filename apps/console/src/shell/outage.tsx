import { Alert } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { ApiError } from '../api/api-client.ts';

/** Says so when what is asked for again and again does not come any more: what is shown is getting old. */
export function Outage() {
  const cache = useQueryClient().getQueryCache();
  const [out, setOut] = useState(false);
  useEffect(
    () =>
      cache.subscribe(() => {
        const failing = cache
          .findAll({ type: 'active' })
          .some(({ state: { data, fetchFailureCount, fetchFailureReason, error } }) => {
            const why = fetchFailureReason ?? error;
            const isRefusal = why instanceof ApiError && why.status < 500;
            return data !== undefined && (fetchFailureCount > 1 || error !== null) && !isRefusal;
          });
        setOut(failing);
      }),
    [cache],
  );
  if (!out) return null;
  return (
    <Alert
      color="yellow"
      title="Kiln does not answer"
      role="alert"
      style={{ position: 'fixed', zIndex: 200, right: 16, bottom: 16, maxWidth: 360 }}
    >
      What you see is as it was when it last did. It is asked again by itself.
    </Alert>
  );
}
