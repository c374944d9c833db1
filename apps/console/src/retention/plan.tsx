import { Button, Card, Group, List, Stack, Text, Title } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { answer, api } from '../api/api-client.ts';
import type { Retention, RetentionPlan } from '../api/replies.ts';
import { useAddress } from '../components/address.ts';
import { Answered } from '../components/answered.tsx';
import { DataTable } from '../components/data-table.tsx';
import { bytes, counted } from '../components/format.ts';
import { Failed } from '../components/page-state.tsx';
import { When } from '../components/when.tsx';
import { ImageLink } from '../images/image-link.tsx';
import { RunPlan } from './run-plan.tsx';
import { stepsOf } from './rule.ts';

const shownMax = 300;

/** Lists what may go by the rules, and runs that very list. */
export function Plan({ retention, isChanged }: { retention: Retention; isChanged: boolean }) {
  const { WorkspaceId } = retention;
  const client = useQueryClient();
  // In the address, so that it outlives a reload and can be sent to somebody else.
  const { field, set } = useAddress();
  const id = field('plan');
  const path = { WorkspaceId, PlanId: id };
  const plan = useQuery({
    queryKey: ['retention-plan', path],
    queryFn: ({ signal }) =>
      answer(api.GET('/api/v1/workspaces/{WorkspaceId}/retention/plans/{PlanId}', { params: { path }, signal })),
    enabled: id !== '',
  });
  const making = useMutation({
    mutationFn: () =>
      answer(api.POST('/api/v1/workspaces/{WorkspaceId}/retention/plans', { params: { path: { WorkspaceId } } })),
    onSuccess(made) {
      client.setQueryData(['retention-plan', { WorkspaceId, PlanId: made.PlanId }], made);
      set({ plan: made.PlanId });
    },
  });
  return (
    <Card withBorder>
      <Stack gap="sm">
        <Title order={2} size="h5">
          What may go
        </Title>
        <Text size="sm">
          A plan lists the images that the rules let go, and changes none. It can be run for a day. What happens to each
          of its images then:
        </Text>
        <List size="sm" type="ordered">
          {stepsOf(retention).map((it) => (
            <List.Item key={it}>{it}</List.Item>
          ))}
        </List>
        <Group gap="sm">
          <Button
            variant="default"
            loading={making.isPending}
            disabled={isChanged || retention.Rules.length === 0}
            onClick={() => making.mutate()}
          >
            Make a plan
          </Button>
          {isChanged && <Text size="sm">Keep the rules first: a plan goes by those that are kept.</Text>}
          {!isChanged && retention.Rules.length === 0 && <Text size="sm">Without a rule, nothing may go.</Text>}
        </Group>
        {making.error && <Failed error={making.error} />}
        {id !== '' && (
          <Answered query={plan} rows={3}>
            {(data) => <Planned plan={data} retention={retention} />}
          </Answered>
        )}
      </Stack>
    </Card>
  );
}

function Planned({ plan, retention }: { plan: RetentionPlan; retention: Retention }) {
  const { Images, Bytes, GmtCreateTime, GmtRunTime } = plan;
  return (
    <Stack gap="sm">
      <Text size="sm" role="status">
        Made <When at={GmtCreateTime} />:{' '}
        {Images.length === 0 ? 'no image may go.' : `${counted(Images.length, 'image')} may go.`}
        {Images.length > 0 && ` With those that are on their way out already, that frees ${bytes(Bytes)}.`}
        {Images.length > shownMax && ` The first ${shownMax} are shown.`}
      </Text>
      {Images.length > 0 && (
        <DataTable
          label="Images that may go"
          minWidth={620}
          rows={Images.slice(0, shownMax)}
          keyOf={(it) => it.ImageId}
          columns={[
            { title: 'Image', cell: (it) => <ImageLink image={it} /> },
            { title: 'Why', cell: (it) => it.Reason },
            {
              title: 'Size',
              end: true,
              cell: (it) => (it.SizeInBytes === undefined ? '—' : bytes(it.SizeInBytes)),
            },
          ]}
        />
      )}
      {GmtRunTime !== undefined && (
        <Text size="sm">
          It has been run (<When at={GmtRunTime} />
          ). A plan is run once: make another one for what may go now.
        </Text>
      )}
      {Images.length > 0 && <RunPlan plan={plan} retention={retention} />}
    </Stack>
  );
}
