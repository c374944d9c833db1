import { Anchor, Button, Card, Group, Progress, SimpleGrid, Stack, Table, Text, Title } from '@mantine/core';
import type { consoleOperations } from '@kiln/schemas';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link, useLocation } from 'wouter';
import { ask } from '../api/ask.ts';
import type { Queues } from '../api/replies.ts';
import { duration } from '../pieces/format.ts';
import { Page, useTitle } from '../pieces/page.tsx';
import { Empty, Failed, Loading } from '../pieces/page-state.tsx';
import { Tone } from '../pieces/state-badge.tsx';
import { tell, tellError } from '../pieces/tell.ts';
import { When } from '../pieces/when.tsx';
import { WideTable } from '../pieces/wide-table.tsx';
import { useSession } from '../session/session.ts';

const poolName = (pool: string): string => (pool === '' ? 'Common' : pool);

export default function QueuesPage() {
  useTitle('Queues');
  const queues = useQuery({
    queryKey: ['queues'],
    queryFn: async ({ signal }) => (await ask('GET', '/api/v1/queues', { signal })) as Queues,
    refetchInterval: 3000,
  });
  return (
    <Page
      title="Queues"
      actions={
        <Button component="a" href="/admin/queues" variant="default">
          Jobs in Redis
        </Button>
      }
    >
      {queues.isPending ? (
        <Loading rows={5} height={90} />
      ) : queues.data ? (
        <Shown queues={queues.data} />
      ) : (
        <Failed error={queues.error} again={() => void queues.refetch()} />
      )}
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
            <Table>
              <Table.Thead>
                <Table.Tr>
                  <Table.Th>Pool</Table.Th>
                  <Table.Th>Lane</Table.Th>
                  <Table.Th ta="end">Waiting</Table.Th>
                  <Table.Th ta="end">Oldest</Table.Th>
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {Lanes.map((it) => (
                  <Table.Tr key={`${it.Pool} ${it.Lane}`}>
                    <Table.Td>{poolName(it.Pool)}</Table.Td>
                    <Table.Td>{it.Lane}</Table.Td>
                    <Table.Td ta="end">{it.Waiting}</Table.Td>
                    <Table.Td ta="end">{duration(it.OldestSeconds * 1000)}</Table.Td>
                  </Table.Tr>
                ))}
              </Table.Tbody>
            </Table>
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
            Behind the waiting room
          </Title>
          <Tone tone={jobs ? 'good' : 'bad'}>{jobs ? 'Redis is there' : 'Redis is away'}</Tone>
        </Group>
        <Text size="sm" mb="xs">
          {Outbox.Waiting === 0
            ? 'Every announcement has been passed on.'
            : `${Outbox.Waiting} announcements wait to be passed on, the oldest for ${duration(Outbox.OldestMs)}.`}
        </Text>
        {jobs && (
          <WideTable label="Queues" minWidth={420}>
            <Table>
              <Table.Thead>
                <Table.Tr>
                  <Table.Th>Queue</Table.Th>
                  {['waiting', 'active', 'delayed', 'failed'].map((it) => (
                    <Table.Th key={it} ta="end">
                      {it}
                    </Table.Th>
                  ))}
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {Object.entries(jobs).map(([name, counts]) => (
                  <Table.Tr key={name}>
                    <Table.Td>{name}</Table.Td>
                    {['waiting', 'active', 'delayed', 'failed'].map((it) => (
                      <Table.Td key={it} ta="end">
                        {counts[it] ?? 0}
                      </Table.Td>
                    ))}
                  </Table.Tr>
                ))}
              </Table.Tbody>
            </Table>
          </WideTable>
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
    mutationFn: ({ ImageBuildId: id }: Queues['Quarantine'][number]) =>
      ask<typeof consoleOperations.RedriveImageBuild>('POST', `/api/v1/queues/quarantine/${id}/redrive`),
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
        <WideTable label="Dead letters" minWidth={620}>
          <Table>
            <Table.Thead>
              <Table.Tr>
                <Table.Th>Build</Table.Th>
                <Table.Th>Account</Table.Th>
                <Table.Th>Since</Table.Th>
                <Table.Th>Why</Table.Th>
                <Table.Th />
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {builds.map((it) => (
                <Table.Tr key={it.ImageBuildId}>
                  <Table.Td>
                    {it.Account === session.Account ? (
                      <Anchor component={Link} href={`/builds/${it.ImageBuildId}`} size="sm">
                        {it.ImageName}
                      </Anchor>
                    ) : (
                      <Text size="sm">{it.ImageName}</Text>
                    )}
                  </Table.Td>
                  <Table.Td>{it.Account}</Table.Td>
                  <Table.Td>
                    <When at={it.GmtQuarantineTime} />
                  </Table.Td>
                  <Table.Td>
                    {it.Message} ({it.Attempts} attempts)
                  </Table.Td>
                  <Table.Td ta="end">
                    <Button size="xs" variant="default" loading={redrive.isPending} onClick={() => redrive.mutate(it)}>
                      Run again
                    </Button>
                  </Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </WideTable>
      )}
    </Card>
  );
}
