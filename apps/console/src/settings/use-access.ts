import { useQuery } from '@tanstack/react-query';
import { answer, api } from '../api/api-client.ts';

/** The user's keys and the account's registries. */
export const useAccess = () =>
  useQuery({
    queryKey: ['access'],
    queryFn: ({ signal }) => answer(api.GET('/api/v1/access', { signal })),
  });
