import { Button, Card, Text, Title } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { answer, api, ApiError } from '../api/api-client.ts';
import type { Deliveries } from '../api/replies.ts';
import { Answered } from '../components/answered.tsx';
import { DataTable } from '../components/data-table.tsx';
import { Empty } from '../components/page-state.tsx';
import { Tone } from '../components/state-badge.tsx';
import { tellError } from '../components/notifications.ts';
import { When } from '../components/when.tsx';

type Delivery = Deliveries['Deliveries'][number];

const tones = { delivered: 'good', waiting: 'busy', failed: 'bad' } as const;

/** What a webhook was sent of late, and what came of it. */
export function DeliveryList({ webhookId }: { webhookId: string }) {
  const path = { WebhookId: webhookId };
  const client = useQueryClient();
  const deliveries = useQuery({
    queryKey: ['webhooks', webhookId, 'deliveries'],
    queryFn: ({ signal }) =>
      answer(api.GET('/api/v1/webhooks/{WebhookId}/deliveries', { params: { path, query: { Limit: 50 } }, signal })),
    // One that somebody has removed is not asked for again.
    refetchInterval: ({ state }) => (state.error instanceof ApiError ? false : 2000),
  });
  const again = useMutation({
    mutationFn: (id: string) =>
      answer(
        api.POST('/api/v1/webhooks/{WebhookId}/deliveries/{DeliveryId}/redeliver', {
          params: { path: { ...path, DeliveryId: id } },
        }),
      ),
    onSuccess: () => client.invalidateQueries({ queryKey: ['webhooks'] }),
    onError: tellError,
  });
  return (
    <Card withBorder>
      <Title order={2} size="h5" mb="xs">
        Latest deliveries
      </Title>
      <Answered query={deliveries} rows={5} height={36}>
        {({ Deliveries: rows }) =>
          rows.length === 0 ? (
            <Empty title="Nothing was sent yet" />
          ) : (
            <DataTable
              label="Deliveries"
              minWidth={620}
              rows={rows}
              keyOf={(it) => it.DeliveryId}
              columns={[
                { title: 'Event', cell: (it) => it.Type },
                { title: 'When', cell: (it) => <When at={it.GmtCreateTime} /> },
                { title: 'State', cell: (it) => <Tone tone={tones[it.State]}>{it.State}</Tone> },
                { title: 'Tries', cell: (it) => <Tries delivery={it} /> },
                {
                  title: 'Do',
                  end: true,
                  cell: (it) => (
                    <Button size="xs" variant="default" onClick={() => again.mutate(it.DeliveryId)}>
                      Send again
                    </Button>
                  ),
                },
              ]}
            />
          )
        }
      </Answered>
    </Card>
  );
}

function Tries({ delivery }: { delivery: Delivery }) {
  const last = delivery.Tries.at(-1);
  return (
    <>
      <Text size="sm">
        {delivery.Tries.length}
        {last && `: ${last.Status ?? last.Error ?? ''} in ${last.Milliseconds} ms`}
      </Text>
      {delivery.GmtNextTryTime !== undefined && (
        <Text size="xs" c="dimmed">
          next <When at={delivery.GmtNextTryTime} />
        </Text>
      )}
    </>
  );
}
