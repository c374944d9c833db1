import { Anchor, Button, Card, Group, Progress, SimpleGrid, Stack, Text, Title } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link, useLocation } from 'wouter';
import { answer, api } from '../api/api-client.ts';
import type { Queues } from '../api/replies.ts';
import { Answered } from '../components/answered.tsx';
import { DataTable } from '../components/data-table.tsx';
import { duration } from '../components/format.ts';
import { Page, useTitle } from '../components/page.tsx';
import { Empty } from '../components/page-state.tsx';
import { Tone } from '../components/state-badge.tsx';
import { tell, tellError } from '../components/notifications.ts';
import { When } from '../components/when.tsx';
import { useSession } from '../session/session.ts';

const poolName = (pool: string): string => (pool === '' ? 'Common' : pool);

export default function QueuesPage() {
  useTitle('Queues');
  const queues = useQuery({
    queryKey: ['queues'],
    queryFn: ({ signal }) => answer(api.GET('/api/v1/queues', { signal })),
    refetchInterval: 3000,
  });
  return (
    <Page
      title="Queues"
      actions={
        <Button component="a" href="/admin/queues" variant="default">
          Jobs
        </Button>
      }
    >
      <Answered query={queues} rows={5} height={90}>
        {(data) => <Shown queues={data} />}
      </Answered>
    </Page>
  );
}

function Shown({ queues }: { queues: Queues }) {
  const { Lanes, Accounts, Outbox, Queues: jobs, Quarantine } = queues;
  return (
    <Stack gap="lg">
      <SimpleGrid cols={{ base: 1, lg: 2 }} spacing="lg">
        <Card withBorder>
          <Title order={2} size="h5" mb="xs">
            Waiting builds by lane
          </Title>
          {Lanes.length === 0 ? (
            <Empty title="Nothing waits" />
          ) : (
            <DataTable
              label="Lanes"
              minWidth={300}
              rows={Lanes}
              keyOf={(it) => `${it.Pool} ${it.Lane}`}
              columns={[
                { title: 'Pool', cell: (it) => poolName(it.Pool) },
                { title: 'Lane', cell: (it) => it.Lane },
                { title: 'Waiting', end: true, cell: (it) => it.Waiting },
                { title: 'Oldest', end: true, cell: (it) => duration(it.OldestSeconds * 1000) },
              ]}
            />
          )}
        </Card>
        <Card withBorder>
          <Title order={2} size="h5" mb="xs">
            Shares of accounts
          </Title>
          {Accounts.length === 0 ? <Empty title="No account builds just now" /> : <Shares accounts={Accounts} />}
        </Card>
      </SimpleGrid>
      <Card withBorder>
        <Group justify="space-between" mb="xs">
          <Title order={2} size="h5">
            Delivery to the queues
          </Title>
          <Tone tone={jobs ? 'good' : 'bad'}>{jobs ? 'can be reached' : 'cannot be reached'}</Tone>
        </Group>
        <Text size="sm" mb="xs">
          {Outbox.Waiting === 0
            ? 'Every announcement has been passed on.'
            : `${Outbox.Waiting} announcements wait to be passed on, the oldest for ${duration(Outbox.OldestMs)}.`}
        </Text>
        {jobs && (
          <DataTable
            label="Queues"
            minWidth={420}
            rows={Object.entries(jobs)}
            keyOf={([name]) => name}
            columns={[
              { title: 'Queue', cell: ([name]) => name },
              ...['waiting', 'active', 'delayed', 'failed'].map((state) => ({
                title: state,
                end: true,
                cell: ([, counts]: [string, Record<string, number>]) => counts[state] ?? 0,
              })),
            ]}
          />
        )}
      </Card>
      <Quarantined builds={Quarantine} />
    </Stack>
  );
}

function Shares({ accounts }: { accounts: Queues['Accounts'] }) {
  const weights = accounts.reduce((sum, it) => sum + it.Weight, 0);
  const running = Math.max(
    1,
    accounts.reduce((sum, it) => sum + it.Running, 0),
  );
  return (
    <Stack gap="sm">
      {accounts.map((it) => (
        <Stack key={it.AccountId} gap={2}>
          <Group justify="space-between">
            <Text size="sm" fw={600}>
              {it.Account}
            </Text>
            <Text size="sm" c="dimmed">
              {it.Running} running{it.RunningMax > 0 ? ` of at most ${it.RunningMax}` : ''}, {it.Waiting} waiting;
              weight {it.Weight} ({Math.round((100 * it.Weight) / weights)} %)
            </Text>
          </Group>
          <Progress value={(100 * it.Running) / running} aria-label={`${it.Account}: part of what runs`} />
        </Stack>
      ))}
    </Stack>
  );
}

function Quarantined({ builds }: { builds: Queues['Quarantine'] }) {
  const [, go] = useLocation();
  const session = useSession();
  const client = useQueryClient();
  const redrive = useMutation({
    mutationFn: ({ ImageBuildId }: Queues['Quarantine'][number]) =>
      answer(api.POST('/api/v1/queues/quarantine/{ImageBuildId}/redrive', { params: { path: { ImageBuildId } } })),
    // Another account's builds are not for this one to look at.
    onSuccess({ ImageBuildId }, { Account }) {
      if (Account === session.Account) return go(`/builds/${ImageBuildId}`);
      tell(`It runs again, as ${ImageBuildId}.`);
      return client.invalidateQueries({ queryKey: ['queues'] });
    },
    onError: tellError,
  });
  return (
    <Card withBorder>
      <Title order={2} size="h5" mb="xs">
        Dead letters
      </Title>
      {builds.length === 0 ? (
        <Text size="sm" c="dimmed">
          None. A build comes here when workers died with it again and again.
        </Text>
      ) : (
        <DataTable
          label="Dead letters"
          minWidth={620}
          rows={builds}
          keyOf={(it) => it.ImageBuildId}
          columns={[
            {
              title: 'Build',
              cell: (it) =>
                it.Account === session.Account ? (
                  <Anchor component={Link} href={`/builds/${it.ImageBuildId}`} size="sm">
                    {it.ImageName}
                  </Anchor>
                ) : (
                  it.ImageName
                ),
            },
            { title: 'Account', cell: (it) => it.Account },
            { title: 'Since', cell: (it) => <When at={it.GmtQuarantineTime} /> },
            { title: 'Why', cell: (it) => `${it.Message} (${it.Attempts} attempts)` },
            {
              title: 'Do',
              end: true,
              cell: (it) => (
                <Button size="xs" variant="default" loading={redrive.isPending} onClick={() => redrive.mutate(it)}>
                  Run again
                </Button>
              ),
            },
          ]}
        />
      )}
    </Card>
  );
}
