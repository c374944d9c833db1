import { eventKinds, eventTypes } from '@kiln/domain/event-types';
import { Button, Card, Group, MultiSelect, Stack, Text, TextInput, Title } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { answer, api } from '../api/api-client.ts';
import type { Webhook } from '../api/replies.ts';
import { Answered } from '../components/answered.tsx';
import { DataTable } from '../components/data-table.tsx';
import { Empty, Failed } from '../components/page-state.tsx';
import { Tone } from '../components/state-badge.tsx';
import { tell, tellError } from '../components/notifications.ts';
import { When } from '../components/when.tsx';
import { DeliveryList } from './deliveries.tsx';
import { ShownOnce } from './shown-once.tsx';

const key = ['webhooks'];

/** Addresses that are told of the account's events. */
export function WebhookSettings() {
  const webhooks = useQuery({
    queryKey: key,
    queryFn: ({ signal }) => answer(api.GET('/api/v1/webhooks', { signal })),
    // What becomes of deliveries is no event.
    refetchInterval: 5000,
  });
  const [open, setOpen] = useState<string>();
  return (
    <Stack gap="lg">
      <NewWebhook />
      <Answered query={webhooks} rows={3}>
        {({ Webhooks }) =>
          Webhooks.length === 0 ? (
            <Empty title="No webhook yet">
              One has every end of a build, or whatever else you choose, sent to an address of yours, signed.
            </Empty>
          ) : (
            <Card withBorder>
              <WebhookTable webhooks={Webhooks} open={open} onOpen={setOpen} />
            </Card>
          )
        }
      </Answered>
      {open !== undefined && <DeliveryList webhookId={open} />}
    </Stack>
  );
}

/** A test goes to the webhook that it is for, whatever it asks for. */
const offered = [...eventKinds, ...eventTypes.filter((it) => it !== 'webhook.test')];

function WebhookTable({
  webhooks,
  open,
  onOpen,
}: {
  webhooks: Webhook[];
  open: string | undefined;
  onOpen: (id: string | undefined) => void;
}) {
  const client = useQueryClient();
  const change = useMutation({
    mutationFn: ({ id, ...change }: Change): Promise<unknown> => {
      const params = { path: { WebhookId: id } };
      switch (change.what) {
        case 'test':
          return answer(api.POST('/api/v1/webhooks/{WebhookId}/test', { params }));
        case 'delete':
          return answer(api.DELETE('/api/v1/webhooks/{WebhookId}', { params }));
        case 'enable':
          return answer(api.PUT('/api/v1/webhooks/{WebhookId}', { params, body: { Enabled: change.enabled } }));
      }
    },
    onSuccess(_, { id, what }) {
      if (what === 'test') {
        tell('A test is on its way; see its deliveries.');
        onOpen(id);
      }
      if (what === 'delete' && open === id) onOpen(undefined);
      return client.invalidateQueries({ queryKey: key });
    },
    onError: tellError,
  });
  return (
    <DataTable
      label="Webhooks"
      minWidth={760}
      rows={webhooks}
      keyOf={(it) => it.WebhookId}
      columns={[
        {
          title: 'Address',
          cell: (it) => (
            <>
              <Text size="sm" ff="monospace" style={{ overflowWrap: 'anywhere' }}>
                {it.Url}
              </Text>
              <Text size="xs" c="dimmed">
                {it.Description}
              </Text>
            </>
          ),
        },
        { title: 'Is told of', cell: (it) => (it.Types.length === 0 ? 'everything' : it.Types.join(', ')) },
        { title: 'State', cell: (it) => <WebhookState webhook={it} /> },
        { title: 'Waiting', end: true, cell: (it) => it.Waiting },
        {
          title: 'Do',
          end: true,
          cell: (it) => (
            <WebhookActions
              webhook={it}
              isOpen={open === it.WebhookId}
              isBusy={change.isPending && change.variables.id === it.WebhookId}
              onOpen={onOpen}
              onChange={change.mutate}
            />
          ),
        },
      ]}
    />
  );
}

type Change = { id: string } & ({ what: 'test' | 'delete' } | { what: 'enable'; enabled: boolean });

function WebhookActions({
  webhook: { WebhookId: id, Url: url, Enabled: enabled, Waiting: waiting },
  isOpen,
  isBusy,
  onOpen,
  onChange,
}: {
  webhook: Webhook;
  isOpen: boolean;
  isBusy: boolean;
  onOpen: (id: string | undefined) => void;
  onChange: (change: Change) => void;
}) {
  const look = { size: 'xs', variant: 'default', disabled: isBusy } as const;
  const stop = () => {
    if (!enabled || waiting === 0 || window.confirm(`Stop this webhook? ${waiting} deliveries that wait are given up.`))
      onChange({ id, what: 'enable', enabled: !enabled });
  };
  const remove = () => {
    if (window.confirm('Remove this webhook, with the record of its deliveries?')) onChange({ id, what: 'delete' });
  };
  return (
    <Group gap="xs" justify="end" wrap="nowrap" aria-label={`What to do with ${url}`} role="group">
      <Button {...look} aria-expanded={isOpen} onClick={() => onOpen(isOpen ? undefined : id)}>
        Deliveries
      </Button>
      {enabled && (
        <Button {...look} onClick={() => onChange({ id, what: 'test' })}>
          Test
        </Button>
      )}
      <Button {...look} onClick={stop}>
        {enabled ? 'Stop' : 'Enable'}
      </Button>
      <Button {...look} c="var(--kiln-bad)" onClick={remove}>
        Remove
      </Button>
    </Group>
  );
}

function WebhookState({ webhook }: { webhook: Webhook }) {
  const { Enabled, StoppedBecause, GmtFailingSinceTime: failingSince } = webhook;
  if (!Enabled)
    return (
      <>
        <Tone tone={StoppedBecause === undefined ? 'quiet' : 'bad'}>stopped</Tone>
        {StoppedBecause !== undefined && <Text size="xs">{StoppedBecause}</Text>}
      </>
    );
  if (failingSince === undefined) return <Tone tone="good">works</Tone>;
  return (
    <>
      <Tone tone="warn">fails</Tone>
      <Text size="xs">
        since <When at={failingSince} />
      </Text>
    </>
  );
}

function NewWebhook() {
  const client = useQueryClient();
  const [url, setUrl] = useState('');
  const [description, setDescription] = useState('');
  const [types, setTypes] = useState<(typeof offered)[number][]>([]);
  const create = useMutation({
    mutationFn: () =>
      answer(api.POST('/api/v1/webhooks', { body: { Url: url.trim(), Description: description, Types: types } })),
    onSuccess() {
      setUrl('');
      setDescription('');
      setTypes([]);
      return client.invalidateQueries({ queryKey: key });
    },
  });
  const aboutAddress = /^Url|^\S+ (?:is|resolves)/.test(create.error?.message ?? '');
  return (
    <Card withBorder>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          create.mutate();
        }}
      >
        <Stack gap="sm">
          <Title order={2} size="h5">
            New webhook
          </Title>
          <TextInput
            label="Address"
            placeholder="https://ci.example.com/kiln"
            required
            value={url}
            onChange={(event) => setUrl(event.currentTarget.value)}
            error={aboutAddress ? create.error?.message : undefined}
          />
          <MultiSelect
            label="Events"
            placeholder={types.length === 0 ? 'everything' : ''}
            data={offered}
            value={types}
            onChange={setTypes}
            searchable
          />
          <TextInput
            label="What it is for"
            value={description}
            onChange={(event) => setDescription(event.currentTarget.value)}
          />
          <Group>
            <Button type="submit" loading={create.isPending}>
              Add webhook
            </Button>
          </Group>
          {create.error && !aboutAddress && <Failed error={create.error} />}
          {create.data && (
            <ShownOnce title="Keep its secret: it is shown this once" secret={create.data.Secret}>
              Whoever gets the events checks their signature with it, as Standard Webhooks has it.
            </ShownOnce>
          )}
        </Stack>
      </form>
    </Card>
  );
}
