import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { answer, api } from '../api/api-client.ts';
import { useRefetchInterval } from '../api/live-events.ts';
import { tell, tellError } from '../components/notifications.ts';
import { isAtLeast, useSession } from '../session/session.ts';

/** Images of a workspace that are on their way out; only operators may ask for them. */
export function useRetiring(workspace: string) {
  const isOperator = isAtLeast(useSession(), 'operator');
  return useQuery({
    queryKey: ['retiring', workspace],
    queryFn: ({ signal }) =>
      answer(
        api.GET('/api/v1/workspaces/{WorkspaceId}/retention/images', {
          params: { path: { WorkspaceId: workspace } },
          signal,
        }),
      ),
    enabled: isOperator && workspace !== '',
    refetchInterval: useRefetchInterval(10_000),
  });
}

/** Makes an image that is on its way out again what it was. */
export function useRestoring() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (ImageId: string) =>
      answer(api.POST('/api/v1/images/{ImageId}/restore', { params: { path: { ImageId } } })),
    async onSuccess(_, id) {
      tell('It is again what it was, and counts as used now.');
      for (const queryKey of [['retiring'], ['images'], ['image', id]]) await client.invalidateQueries({ queryKey });
    },
    onError: tellError,
  });
}
