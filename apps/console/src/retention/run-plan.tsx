import { Button, Group, Text } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { answer, api } from '../api/api-client.ts';
import type { Retention, RetentionPlan } from '../api/replies.ts';
import { Failed } from '../components/page-state.tsx';
import { counted } from '../components/format.ts';
import { stepsOf } from './rule.ts';

/** Runs a plan once it is confirmed, and says what came of it. */
export function RunPlan({ plan, retention }: { plan: RetentionPlan; retention: Retention }) {
  const client = useQueryClient();
  const { PlanId, Images, GmtRunTime } = plan;
  const running = useMutation({
    mutationFn: () =>
      answer(
        api.POST('/api/v1/workspaces/{WorkspaceId}/retention/plans/{PlanId}/run', {
          params: { path: { WorkspaceId: retention.WorkspaceId, PlanId } },
        }),
      ),
    async onSuccess() {
      for (const name of ['retention-plan', 'retiring', 'images', 'image'])
        await client.invalidateQueries({ queryKey: [name] });
    },
  });
  const run = () => {
    const question = [
      `Let ${counted(Images.length, 'image')} go?`,
      '',
      ...stepsOf(retention),
      '',
      'Before each step the rules are asked anew. Until it is deleted, an image can be restored.',
    ];
    if (window.confirm(question.join('\n'))) running.mutate();
  };
  return (
    <>
      {GmtRunTime === undefined && (
        <Group>
          <Button color="red.9" loading={running.isPending} onClick={run}>
            Run this plan
          </Button>
        </Group>
      )}
      {running.error && <Failed error={running.error} />}
      {running.data && (
        <Text size="sm" role="status">
          {counted(running.data.Deprecated.length, 'image')} deprecated
          {running.data.Kept.length > 0 && `, ${running.data.Kept.length} left out: something keeps them by now`}.
        </Text>
      )}
    </>
  );
}
