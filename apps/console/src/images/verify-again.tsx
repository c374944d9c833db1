import { Button } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { answer, api } from '../api/api-client.ts';
import type { Image } from '../api/replies.ts';
import { tell, tellError } from '../components/notifications.ts';
import { mayChange, useSession } from '../session/session.ts';

/** Has the registry asked again about an image of which there is something to say. */
export function VerifyAgain({ image }: { image: Image }) {
  const client = useQueryClient();
  const may = mayChange(useSession(), image, 'operator');
  const verifying = useMutation({
    mutationFn: () =>
      answer(api.POST('/api/v1/images/{ImageId}/verify', { params: { path: { ImageId: image.ImageId } } })),
    async onSuccess({ Status, StatusMessage }) {
      tell(Status === 'ACTIVE' ? 'The registry has it as it should be.' : `It is ${Status}: ${StatusMessage}`);
      for (const queryKey of [['image', image.ImageId], ['images'], ['drift']])
        await client.invalidateQueries({ queryKey });
    },
    onError: tellError,
  });
  const isOdd = image.StatusMessage !== '' && ['ACTIVE', 'ERROR'].includes(image.Status);
  if (!isOdd || !may) return null;
  return (
    <Button
      size="xs"
      variant="default"
      w="fit-content"
      loading={verifying.isPending}
      onClick={() => verifying.mutate()}
    >
      Verify again
    </Button>
  );
}
