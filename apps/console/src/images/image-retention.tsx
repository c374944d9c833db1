import { Button, Card, Group, Stack, Text, Title } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { answer, api } from '../api/api-client.ts';
import type { Image } from '../api/replies.ts';
import { tell, tellError } from '../components/notifications.ts';
import { Tone } from '../components/state-badge.tsx';
import { When } from '../components/when.tsx';
import { stageLooks } from '../retention/retiring-images.tsx';
import { useRestoring, useRetiring } from '../retention/use-retiring.ts';
import { mayChange, useSession } from '../session/session.ts';

/** Whether an image is on its way out, and what keeps it. */
export function ImageRetention({ image }: { image: Image }) {
  const may = mayChange(useSession(), image, 'operator');
  const restoring = useRestoring();
  const found = useRetiring(image.WorkspaceId).data?.Images.find((it) => it.ImageId === image.ImageId);
  // Those who are no operators read it in the status.
  const isRetiring = found !== undefined || image.StatusMessage.startsWith('deprecated: ');
  if (!may && !isRetiring) return null;
  return (
    <Card withBorder>
      <Stack gap="sm">
        <Group gap="sm">
          <Title order={2} size="h5">
            How long it is kept
          </Title>
          {isRetiring && (
            <Tone tone={stageLooks[found?.Stage ?? 'deprecated'].tone}>
              {stageLooks[found?.Stage ?? 'deprecated'].label}
            </Tone>
          )}
        </Group>
        {found && (
          <Text size="sm">
            It is {stageLooks[found.Stage].next} <When at={found.GmtNextTime} />: {found.Reason}.
          </Text>
        )}
        {may && (
          <Group gap="xs">
            {isRetiring && (
              <Button size="xs" loading={restoring.isPending} onClick={() => restoring.mutate(image.ImageId)}>
                Restore
              </Button>
            )}
            <Pin id={image.ImageId} />
          </Group>
        )}
      </Stack>
    </Card>
  );
}

/** The api does not tell whether an image is pinned: both ways are offered, and what was done is shown. */
function Pin({ id }: { id: string }) {
  const pinning = useMutation({
    mutationFn: (isPinned: boolean) =>
      answer(
        api.PUT('/api/v1/images/{ImageId}/pin', { params: { path: { ImageId: id } }, body: { Pinned: isPinned } }),
      ),
    onSuccess: ({ Pinned }) =>
      tell(Pinned ? 'It is kept, whatever the rules of its workspace say.' : 'The rules of its workspace decide.'),
    onError: tellError,
  });
  const look = { size: 'xs', variant: 'default', loading: pinning.isPending } as const;
  return (
    <>
      <Button {...look} onClick={() => pinning.mutate(true)}>
        Pin it
      </Button>
      <Button {...look} onClick={() => pinning.mutate(false)}>
        Unpin it
      </Button>
      {pinning.data && (
        <Tone tone={pinning.data.Pinned ? 'good' : 'quiet'}>{pinning.data.Pinned ? 'Pinned' : 'Not pinned'}</Tone>
      )}
      <Text size="sm" c="dimmed">
        A pinned image stays, whatever the rules of its workspace say.
      </Text>
    </>
  );
}
