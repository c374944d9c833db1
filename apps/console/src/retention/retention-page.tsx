import { Card, Group, List, Stack, Text, Title } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { answer, api } from '../api/api-client.ts';
import type { Retention } from '../api/replies.ts';
import { useAddress } from '../components/address.ts';
import { Answered } from '../components/answered.tsx';
import { WorkspaceSelect } from '../components/workspace-select.tsx';
import { ImagesFrame } from '../images/images-frame.tsx';
import { isAtLeast, useSession } from '../session/session.ts';
import { Plan } from './plan.tsx';
import { RetiringImages } from './retiring-images.tsx';
import { RulesForm } from './rules-form.tsx';
import { RulesTable } from './rules-table.tsx';
import { stepsOf } from './rule.ts';

/** Which images of a workspace are kept, which may go, and which are on their way out. */
export default function RetentionPage() {
  const session = useSession();
  const { field, set } = useAddress();
  const workspace = field('workspace') || (session.Workspaces[0]?.WorkspaceId ?? '');
  const retention = useQuery({
    queryKey: ['retention', workspace],
    queryFn: ({ signal }) =>
      answer(
        api.GET('/api/v1/workspaces/{WorkspaceId}/retention', { params: { path: { WorkspaceId: workspace } }, signal }),
      ),
    enabled: workspace !== '',
  });
  return (
    <ImagesFrame path="/images/retention">
      <Group justify="space-between" align="start">
        <Text size="sm" maw={720}>
          Rules say which images are kept. Nothing goes before somebody has seen a list of what may go and has run it;
          then it goes in three steps, and can be restored until the last.
        </Text>
        <WorkspaceSelect value={workspace} onChange={(id) => set({ workspace: id, plan: '' })} />
      </Group>
      <Answered query={retention} rows={4}>
        {(data) => <Shown key={workspace} retention={data} />}
      </Answered>
    </ImagesFrame>
  );
}

function Shown({ retention }: { retention: Retention }) {
  const session = useSession();
  const [isChanged, setChanged] = useState(false);
  const isAdmin = isAtLeast(session, 'admin');
  return (
    <Stack gap="lg">
      {isAdmin ? <RulesForm retention={retention} onChanged={setChanged} /> : <RulesTable retention={retention} />}
      {isAdmin ? (
        <Plan retention={retention} isChanged={isChanged} />
      ) : (
        <Card withBorder>
          <Title order={2} size="h5" mb="xs">
            What happens to an image that goes
          </Title>
          <List size="sm" type="ordered">
            {stepsOf(retention).map((it) => (
              <List.Item key={it}>{it}</List.Item>
            ))}
          </List>
        </Card>
      )}
      {isAtLeast(session, 'operator') && <RetiringImages workspace={retention.WorkspaceId} />}
    </Stack>
  );
}
