import { Button } from '@mantine/core';
import { IconPlayerPause, IconPlayerPlay, IconPlayerStop } from '@tabler/icons-react';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { answer, api } from '../api/api-client.ts';
import type { CampaignSummary } from '../api/replies.ts';
import { tellError } from '../components/notifications.ts';
import { counted } from '../components/format.ts';
import { hasEnded, imagesOf, startOf } from './campaign-looks.ts';

type Move = 'running' | 'paused' | 'cancelled';

/** Starts, pauses and cancels a campaign. */
export function CampaignActions({ campaign }: { campaign: CampaignSummary }) {
  const client = useQueryClient();
  const { CampaignId, State, Counts } = campaign;
  const move = useMutation({
    mutationFn: (to: Move) =>
      answer(
        api.PUT('/api/v1/campaigns/{CampaignId}/state', { params: { path: { CampaignId } }, body: { State: to } }),
      ),
    // One that somebody else has moved meanwhile is shown as it is now.
    onSettled: () => client.invalidateQueries({ queryKey: ['campaign', CampaignId] }),
    onError: tellError,
  });
  if (hasEnded(campaign)) return null;
  const whole = imagesOf(campaign);
  const start = () => {
    const question = `Build ${counted(whole, 'image')} anew, under the tags that they have? ${
      whole === 1 ? '' : startOf(campaign)
    }`;
    if (State !== 'planned' || window.confirm(question.trim())) move.mutate('running');
  };
  const cancel = () => {
    const question = `Cancel it? The ${Counts.Waiting} that wait are not built; builds that run go on.`;
    if (State === 'planned' || window.confirm(question)) move.mutate('cancelled');
  };
  return (
    <>
      {State !== 'running' && whole > 0 && (
        <Button leftSection={<IconPlayerPlay size={16} aria-hidden />} loading={move.isPending} onClick={start}>
          {State === 'planned' ? 'Start' : 'Resume'}
        </Button>
      )}
      {State === 'running' && (
        <Button
          variant="default"
          leftSection={<IconPlayerPause size={16} aria-hidden />}
          loading={move.isPending}
          onClick={() => move.mutate('paused')}
        >
          Pause
        </Button>
      )}
      <Button
        variant="default"
        leftSection={<IconPlayerStop size={16} aria-hidden />}
        loading={move.isPending}
        onClick={cancel}
      >
        Cancel
      </Button>
    </>
  );
}
