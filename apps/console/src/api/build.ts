import { ask } from './api-client.ts';
import type { Build } from './replies.ts';

export const buildKey = (id: string) => ['build', id];

/** How one build is asked for; whoever asks for the same build shares the answer. */
export const buildQuery = (id: string) => ({
  queryKey: buildKey(id),
  queryFn: async ({ signal }: { signal: AbortSignal }) =>
    (await ask('GET', `/api/v1/imagebuilds/${encodeURIComponent(id)}`, { signal })) as Build,
});
