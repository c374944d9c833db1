import { Anchor, Group, Stack, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link } from 'wouter';
import { answer, api } from '../api/api-client.ts';
import { useRefetchInterval } from '../api/live-events.ts';
import type { BuildSummary } from '../api/replies.ts';
import { Answered } from '../components/answered.tsx';
import { Empty } from '../components/page-state.tsx';
import { StateBadge } from '../components/state-badge.tsx';
import { When } from '../components/when.tsx';

export function LatestBuilds() {
  const latest = useQuery({
    queryKey: ['builds', 'latest'],
    queryFn: ({ signal }) => answer(api.GET('/api/v1/imagebuilds', { params: { query: { Limit: 10 } }, signal })),
    refetchInterval: useRefetchInterval(3000),
  });
  return (
    <Answered query={latest} rows={10} height={28}>
      {({ ImageBuilds }) => <Listed builds={ImageBuilds} />}
    </Answered>
  );
}

function Listed({ builds }: { builds: BuildSummary[] }) {
  if (builds.length === 0)
    return (
      <Empty
        title="No build yet"
        action={
          <Anchor component={Link} href="/builds/new">
            Make the first one
          </Anchor>
        }
      >
        What is built here shows up at once.
      </Empty>
    );
  return (
    <Stack gap={6}>
      {builds.map((it) => (
        <Group key={it.ImageBuildId} justify="space-between" wrap="nowrap" gap="sm" mih={28}>
          <Anchor component={Link} href={`/builds/${it.ImageBuildId}`} size="sm" truncate style={{ flex: 1 }}>
            {it.ImageName}
          </Anchor>
          <Text size="xs" c="dimmed" style={{ whiteSpace: 'nowrap' }}>
            <When at={it.GmtCreateTime} />
          </Text>
          <StateBadge state={it.State} />
        </Group>
      ))}
    </Stack>
  );
}
