import { Badge, Group, SegmentedControl, Stack, Text, Title } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { answer, api } from '../api/api-client.ts';
import type { RequestedContext, ShownContext } from '../api/replies.ts';
import { Answered } from '../components/answered.tsx';
import { DataTable } from '../components/data-table.tsx';
import { bytes } from '../components/format.ts';

/** As many files as a page shows. */
const shownMax = 500;

/** The files that a build could copy from, and those that its ignore file kept from it. */
export function BuildFiles({
  context,
  named,
}: {
  context: RequestedContext | undefined;
  named: Record<string, RequestedContext>;
}) {
  return (
    <Stack gap="lg">
      {context && <OneContext context={context} />}
      {Object.entries(named).map(([name, it]) => (
        <Stack key={name} gap="xs">
          <Title order={3} size="h5">
            {name}
          </Title>
          <OneContext context={it} />
        </Stack>
      ))}
    </Stack>
  );
}

function OneContext({ context }: { context: RequestedContext }) {
  return (
    <Stack gap="xs">
      <From context={context} />
      {context.Id === undefined ? (
        context.Type !== 'Image' && (
          <Text size="sm" c="dimmed">
            A builder fetches them when the build runs.
          </Text>
        )
      ) : (
        <Files id={context.Id} context={context} />
      )}
    </Stack>
  );
}

/** Where they came from. */
function From({ context }: { context: RequestedContext }) {
  const { Type, Url, Uri, Ref, Commit, Author, Subject, SubPath } = context;
  const parts = [
    ...(Url === undefined && Uri === undefined ? [] : [Url ?? Uri]),
    ...(Ref === undefined ? [] : [Ref]),
    ...(Commit === undefined ? [] : [`commit ${Commit.slice(0, 12)}`]),
    ...(Author === undefined ? [] : [`by ${Author}: ${Subject ?? ''}`]),
    ...(SubPath === undefined ? [] : [`folder ${SubPath}`]),
  ];
  return (
    <Group gap="xs">
      <Badge variant="light" color="gray">
        {Type}
      </Badge>
      <Text size="sm" style={{ overflowWrap: 'anywhere' }}>
        {parts.join(', ')}
      </Text>
    </Group>
  );
}

function Files({ id, context: { SubPath, Dockerfile } }: { id: string; context: RequestedContext }) {
  const [order, setOrder] = useState<'path' | 'size'>('path');
  const query = {
    Limit: String(shownMax),
    Order: order,
    ...(SubPath === undefined ? {} : { SubPath }),
    ...(Dockerfile === undefined ? {} : { Dockerfile }),
  };
  const found = useQuery({
    queryKey: ['context', id, query],
    queryFn: ({ signal }) => answer(api.GET('/api/v1/contexts/{Id}', { params: { path: { Id: id }, query }, signal })),
  });
  return (
    <Answered query={found} rows={6} height={32}>
      {(data) => <FileTable context={data} order={order} onOrder={setOrder} />}
    </Answered>
  );
}

const entries = (n: number): string => `${n.toLocaleString('en')} ${n === 1 ? 'entry' : 'entries'}`;

function FileTable({
  context,
  order,
  onOrder,
}: {
  context: ShownContext;
  order: 'path' | 'size';
  onOrder: (order: 'path' | 'size') => void;
}) {
  const { Entries, Files: all, Bytes, Ignored } = context;
  return (
    <Stack gap="xs">
      <Group justify="space-between">
        <Text size="sm">
          {entries(all)}, {bytes(Bytes)}
          {Ignored && `; ${Ignored.File} leaves out ${entries(Ignored.Files)}, ${bytes(Ignored.Bytes)}`}
        </Text>
        <SegmentedControl
          size="xs"
          aria-label="Order"
          value={order}
          onChange={(it) => onOrder(it)}
          data={[
            { value: 'path', label: 'By path' },
            { value: 'size', label: 'Largest first' },
          ]}
        />
      </Group>
      <DataTable
        label="Files"
        minWidth={420}
        keyOf={(it) => it.Path}
        rows={Entries}
        columns={[
          {
            title: 'Path',
            cell: (it) => (
              <Text span size="sm" ff="monospace" c={it.LeftOut ? 'dimmed' : ''} style={{ overflowWrap: 'anywhere' }}>
                {it.Path}
                {it.Type === 'folder' && '/'}
                {it.Target !== undefined && ` → ${it.Target}`}
                {it.LeftOut && ' (left out)'}
              </Text>
            ),
          },
          { title: 'Size', end: true, cell: (it) => (it.Size === undefined ? '' : bytes(it.Size)) },
        ]}
      />
      {Entries.length === shownMax && (
        <Text size="sm" c="dimmed">
          Only the first {shownMax} are shown.
        </Text>
      )}
    </Stack>
  );
}
