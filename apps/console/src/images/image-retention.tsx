import { Button, Card, Group, Stack, Text, Title } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { answer, api } from '../api/api-client.ts';
import type { ImageDetails } from '../api/replies.ts';
import { tell, tellError } from '../components/notifications.ts';
import { Tone } from '../components/state-badge.tsx';
import { When } from '../components/when.tsx';
import { stageLooks } from '../retention/retiring-images.tsx';
import { useRestoring } from '../retention/use-retiring.ts';
import { mayChange, useSession } from '../session/session.ts';

/** Whether an image is on its way out, and what keeps it. */
export function ImageRetention({ details: { Image: image, Pinned, Retiring } }: { details: ImageDetails }) {
  const may = mayChange(useSession(), image, 'operator');
  const restoring = useRestoring();
  if (!may && !Pinned && !Retiring) return null;
  return (
    <Card withBorder>
      <Stack gap="sm">
        <Group gap="sm">
          <Title order={2} size="h5">
            How long it is kept
          </Title>
          {Pinned && <Tone tone="good">Pinned</Tone>}
          {Retiring && <Tone tone={stageLooks[Retiring.Stage].tone}>{stageLooks[Retiring.Stage].label}</Tone>}
        </Group>
        {Retiring && (
          <Text size="sm">
            It is {stageLooks[Retiring.Stage].next} <When at={Retiring.GmtNextTime} />: {Retiring.Reason}.
          </Text>
        )}
        {may && (
          <Group gap="xs">
            {Retiring && (
              <Button size="xs" loading={restoring.isPending} onClick={() => restoring.mutate(image.ImageId)}>
                Restore
              </Button>
            )}
            <Pin id={image.ImageId} isPinned={Pinned} />
          </Group>
        )}
      </Stack>
    </Card>
  );
}

function Pin({ id, isPinned }: { id: string; isPinned: boolean }) {
  const client = useQueryClient();
  const pinning = useMutation({
    mutationFn: () =>
      answer(
        api.PUT('/api/v1/images/{ImageId}/pin', { params: { path: { ImageId: id } }, body: { Pinned: !isPinned } }),
      ),
    async onSuccess({ Pinned }) {
      tell(Pinned ? 'It is kept, whatever the rules of its workspace say.' : 'The rules of its workspace decide.');
      await client.invalidateQueries({ queryKey: ['image', id] });
    },
    onError: tellError,
  });
  return (
    <>
      <Button size="xs" variant="default" loading={pinning.isPending} onClick={() => pinning.mutate()}>
        {isPinned ? 'Unpin it' : 'Pin it'}
      </Button>
      <Text size="sm" c="dimmed">
        A pinned image stays, whatever the rules of its workspace say.
      </Text>
    </>
  );
}
