import { Button, Card, Group, Progress, SimpleGrid, Stack, Text, Title } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { answer, api } from '../api/api-client.ts';
import type { Worker } from '../api/replies.ts';
import { Answered } from '../components/answered.tsx';
import { bytes } from '../components/format.ts';
import { Page, useTitle } from '../components/page.tsx';
import { Empty } from '../components/page-state.tsx';
import { Tone } from '../components/state-badge.tsx';
import { tellError } from '../components/notifications.ts';
import { When } from '../components/when.tsx';

export default function WorkersPage() {
  useTitle('Workers');
  const workers = useQuery({
    queryKey: ['workers'],
    queryFn: ({ signal }) => answer(api.GET('/api/v1/workers', { signal })),
    refetchInterval: 3000,
  });
  return (
    <Page title="Workers">
      <Answered query={workers} rows={3} height={150}>
        {({ Workers }) =>
          Workers.length === 0 ? (
            <Empty title="No worker was seen within a day">
              Start a builder and a registrar; they announce themselves here.
            </Empty>
          ) : (
            <SimpleGrid cols={{ base: 1, md: 2, xl: 3 }} spacing="lg">
              {Workers.toSorted((a, b) => Number(b.Alive) - Number(a.Alive)).map((it) => (
                <WorkerCard key={it.Name} worker={it} />
              ))}
            </SimpleGrid>
          )
        }
      </Answered>
    </Page>
  );
}

function WorkerCard({ worker }: { worker: Worker }) {
  const client = useQueryClient();
  const cordon = useMutation({
    mutationFn: (Cordoned: boolean) =>
      answer(api.PUT('/api/v1/workers/{Name}', { params: { path: { Name: worker.Name } }, body: { Cordoned } })),
    onSuccess: () => client.invalidateQueries({ queryKey: ['workers'] }),
    onError: tellError,
  });
  const state = !worker.Alive ? 'gone' : worker.Draining ? 'draining' : worker.Cordoned ? 'cordoned' : 'there';
  return (
    <Card withBorder>
      <Stack gap="xs">
        <Group justify="space-between" wrap="nowrap">
          <Title order={2} size="h5" style={{ overflowWrap: 'anywhere' }}>
            {worker.Name}
          </Title>
          <Tone tone={state === 'gone' ? 'bad' : state === 'there' ? 'good' : 'warn'}>
            {{ gone: 'Gone', draining: 'Draining', cordoned: 'Takes nothing new', there: 'Alive' }[state]}
          </Tone>
        </Group>
        <Text size="sm" c="dimmed">
          {worker.App}
          {worker.Pool === '' ? '' : ` of pool ${worker.Pool}`}, started <When at={worker.GmtStartTime} />, seen{' '}
          <When at={worker.GmtSeenTime} />
        </Text>
        <Use name="Slots" used={worker.Busy} of={worker.Slots} note={`${worker.Busy} of ${worker.Slots} slots busy`} />
        {worker.DiskTotalBytes !== undefined && worker.DiskFreeBytes !== undefined && (
          <Use
            name="Disk"
            used={worker.DiskTotalBytes - worker.DiskFreeBytes}
            of={worker.DiskTotalBytes}
            note={`${bytes(worker.DiskFreeBytes)} of ${bytes(worker.DiskTotalBytes)} free`}
          />
        )}
        {worker.WarmRooms !== undefined && worker.BusyRooms !== undefined && (
          <Text size="sm">
            Engines: {worker.BusyRooms} building, {worker.WarmRooms} warm
          </Text>
        )}
        {worker.Caches && worker.Caches.length > 0 && <Caches worker={worker} caches={worker.Caches} />}
        {worker.App === 'builder' && worker.Alive && !worker.Draining && (
          <Group>
            <Button
              size="xs"
              variant="default"
              loading={cordon.isPending}
              onClick={() => cordon.mutate(!worker.Cordoned)}
            >
              {worker.Cordoned ? 'Let it take work again' : 'Drain'}
            </Button>
          </Group>
        )}
        {worker.Engine !== undefined && (
          <Text size="sm">
            {worker.Engine}, jail {worker.Jail}
          </Text>
        )}
        {worker.Enforces && worker.Enforces.length > 0 && (
          <Group gap={6} aria-label="What the jail enforces">
            {worker.Enforces.map((it) => (
              <Tone key={it} tone="quiet">
                {it}
              </Tone>
            ))}
            {worker.Missing?.map((it) => (
              <Tone key={it} tone="warn">{`not ${it}`}</Tone>
            ))}
          </Group>
        )}
      </Stack>
    </Card>
  );
}

function Caches({ worker, caches }: { worker: Worker; caches: NonNullable<Worker['Caches']> }) {
  const client = useQueryClient();
  const remove = useMutation({
    mutationFn: (Account: string) =>
      answer(
        api.DELETE('/api/v1/workers/{Name}/caches/{Account}', { params: { path: { Name: worker.Name, Account } } }),
      ),
    onSuccess: () => client.invalidateQueries({ queryKey: ['workers'] }),
    onError: tellError,
  });
  return (
    <Stack gap={4} aria-label="Caches">
      <Text size="sm">Caches of accounts: {bytes(worker.CacheBytes ?? 0)}</Text>
      {caches.map((it) => (
        <Group key={it.Account} justify="space-between" wrap="nowrap">
          <Text size="sm" c="dimmed" truncate>
            {it.Account}: {bytes(it.Bytes)}, used <When at={it.GmtUseTime} />
          </Text>
          {worker.Alive && (
            <Button
              size="compact-xs"
              variant="subtle"
              aria-label={`Remove the cache of ${it.Account}`}
              loading={remove.isPending && remove.variables === it.Account}
              onClick={() => remove.mutate(it.Account)}
            >
              Remove
            </Button>
          )}
        </Group>
      ))}
    </Stack>
  );
}

function Use({ name, used, of, note }: { name: string; used: number; of: number; note: string }) {
  return (
    <Stack gap={2}>
      <Group justify="space-between">
        <Text size="sm">{name}</Text>
        <Text size="sm" c="dimmed">
          {note}
        </Text>
      </Group>
      <Progress value={of === 0 ? 0 : (100 * used) / of} aria-label={`${name}: ${note}`} />
    </Stack>
  );
}
