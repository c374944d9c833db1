import { eventKinds, eventTypes } from '@kiln/schemas/event-types';
import type { webhookOperations } from '@kiln/schemas';
import {
  Alert,
  Button,
  Card,
  Code,
  CopyButton,
  Group,
  MultiSelect,
  Stack,
  Text,
  TextInput,
  Title,
} from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { ask } from '../api/ask.ts';
import { useRefetchInterval } from '../api/live-events.ts';
import type { Webhook, Webhooks } from '../api/replies.ts';
import { Answered } from '../pieces/answered.tsx';
import { DataTable } from '../pieces/data-table.tsx';
import { Empty } from '../pieces/page-state.tsx';
import { Tone } from '../pieces/state-badge.tsx';
import { tell, tellError } from '../pieces/tell.ts';
import { When } from '../pieces/when.tsx';
import { DeliveryList } from './deliveries.tsx';

const key = ['webhooks'];

/** Addresses that are told of the account's events. */
export function WebhookSettings() {
  const webhooks = useQuery({
    queryKey: key,
    queryFn: async ({ signal }) => (await ask('GET', '/api/v1/webhooks', { signal })) as Webhooks,
    refetchInterval: useRefetchInterval(5000),
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
    mutationFn: ({
      id,
      method,
      what,
      body,
    }: {
      id: string;
      method: 'POST' | 'PUT' | 'DELETE';
      what: string;
      body?: object;
    }) => ask(method, `/api/v1/webhooks/${id}${what}`, body === undefined ? {} : { body }),
    onSuccess(_, { id, method, what }) {
      if (what === '/test') {
        tell('A test is on its way; see its deliveries.');
        onOpen(id);
      }
      if (method === 'DELETE') onOpen(undefined);
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
          cell: ({ WebhookId: id, Enabled }) => (
            <Group gap="xs" justify="end" wrap="nowrap">
              <Button size="xs" variant="default" onClick={() => onOpen(open === id ? undefined : id)}>
                {open === id ? 'Hide deliveries' : 'Deliveries'}
              </Button>
              {Enabled && (
                <Button
                  size="xs"
                  variant="default"
                  onClick={() => change.mutate({ id, method: 'POST', what: '/test' })}
                >
                  Test
                </Button>
              )}
              <Button
                size="xs"
                variant="default"
                onClick={() => change.mutate({ id, method: 'PUT', what: '', body: { Enabled: !Enabled } })}
              >
                {Enabled ? 'Stop' : 'Enable'}
              </Button>
              <Button
                size="xs"
                variant="default"
                c="var(--kiln-bad)"
                onClick={() => {
                  if (window.confirm('Remove this webhook, with the record of its deliveries?'))
                    change.mutate({ id, method: 'DELETE', what: '' });
                }}
              >
                Remove
              </Button>
            </Group>
          ),
        },
      ]}
    />
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
  const [types, setTypes] = useState<string[]>([]);
  const create = useMutation({
    mutationFn: () =>
      ask<typeof webhookOperations.CreateWebhook>('POST', '/api/v1/webhooks', {
        body: { Url: url.trim(), Description: description, Types: types },
      }),
    onSuccess() {
      setUrl('');
      setDescription('');
      setTypes([]);
      return client.invalidateQueries({ queryKey: key });
    },
  });
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
            error={create.error?.message}
          />
          <MultiSelect
            label="Events"
            placeholder={types.length === 0 ? 'everything' : ''}
            data={[...eventKinds, ...eventTypes.filter((it) => it !== 'webhook.test')]}
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
          {create.data && <NewSecret secret={create.data.Secret} />}
        </Stack>
      </form>
    </Card>
  );
}

function NewSecret({ secret }: { secret: string }) {
  return (
    <Alert color="green" title="Keep its secret: it is shown this once" role="status">
      <Text size="sm" mb="xs">
        Whoever gets the events checks their signature with it, as Standard Webhooks has it.
      </Text>
      <Group gap="sm">
        <Code style={{ overflowWrap: 'anywhere' }}>{secret}</Code>
        <CopyButton value={secret}>
          {({ copied, copy }) => (
            <Button size="xs" variant="default" onClick={copy}>
              {copied ? 'Copied' : 'Copy'}
            </Button>
          )}
        </CopyButton>
      </Group>
    </Alert>
  );
}
