import { isTerminal } from '@kiln/domain/build-states';
import { Button } from '@mantine/core';
import { IconPlayerStop, IconRefresh, IconRepeat, IconEdit } from '@tabler/icons-react';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { Link, useLocation } from 'wouter';
import { answer, api } from '../api/api-client.ts';
import { buildKey } from '../api/build.ts';
import type { Build } from '../api/replies.ts';
import { tell, tellError } from '../components/notifications.ts';
import { isAtLeast, mayChange, useSession } from '../session/session.ts';

/** Whether the same inputs may come to another end; the api decides it again. */
const isRetryable = ({ State, Error: error }: Build): boolean =>
  State === 'timed_out' ||
  State === 'expired' ||
  (State === 'failed' &&
    (error?.Class === 'infra' ||
      error?.Class === 'upstream' ||
      error?.Code === 'PushDenied' ||
      (error?.Code === 'RegistryRefused' && error.Phase === 'push')));

/** What the caller may do about a build. */
export function BuildActions({ build }: { build: Build }) {
  const session = useSession();
  const client = useQueryClient();
  const [, go] = useLocation();
  const params = { path: { ImageBuildId: build.ImageBuildId } };
  const cancel = useMutation({
    mutationFn: () => answer(api.POST('/api/v1/imagebuilds/{ImageBuildId}/cancel', { params })),
    onSuccess() {
      tell('The build is being stopped.');
      return client.invalidateQueries({ queryKey: buildKey(build.ImageBuildId) });
    },
    onError: tellError,
  });
  const repeat = useMutation({
    mutationFn: (verb: 'retry' | 'rerun') =>
      answer(
        verb === 'retry'
          ? api.POST('/api/v1/imagebuilds/{ImageBuildId}/retry', { params })
          : api.POST('/api/v1/imagebuilds/{ImageBuildId}/rerun', { params, body: {} }),
      ),
    onSuccess: ({ ImageBuildId }) => go(`/builds/${ImageBuildId}`),
    onError: tellError,
  });
  const own = mayChange(session, build, 'operator');
  const over = isTerminal(build.State);
  return (
    <>
      {!over && own && (
        <Button
          variant="default"
          leftSection={<IconPlayerStop size={16} aria-hidden />}
          loading={cancel.isPending}
          disabled={build.State === 'cancelling'}
          onClick={() => cancel.mutate()}
        >
          Cancel
        </Button>
      )}
      {over && own && isRetryable(build) && (
        <Button
          leftSection={<IconRefresh size={16} aria-hidden />}
          loading={repeat.isPending}
          onClick={() => repeat.mutate('retry')}
        >
          Retry
        </Button>
      )}
      {/* The same image cannot be made twice: from one that is there, another one is made. */}
      {over && own && build.State !== 'succeeded' && (
        <Button
          variant="default"
          leftSection={<IconRepeat size={16} aria-hidden />}
          loading={repeat.isPending}
          onClick={() => repeat.mutate('rerun')}
        >
          Rerun
        </Button>
      )}
      {isAtLeast(session, 'developer') && (
        <Button
          component={Link}
          href={`/builds/new?from=${build.ImageBuildId}`}
          variant="default"
          leftSection={<IconEdit size={16} aria-hidden />}
        >
          Edit and build
        </Button>
      )}
    </>
  );
}
