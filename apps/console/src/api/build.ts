import { answer, api } from './api-client.ts';

export const buildKey = (id: string) => ['build', id];

/** How one build is asked for; whoever asks for the same build shares the answer. */
export const buildQuery = (id: string) => ({
  queryKey: buildKey(id),
  queryFn: ({ signal }: { signal: AbortSignal }) =>
    answer(api.GET('/api/v1/imagebuilds/{ImageBuildId}', { params: { path: { ImageBuildId: id } }, signal })),
});
