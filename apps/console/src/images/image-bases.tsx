import { Anchor, Button, Card, Group, Stack, Text, Title } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link } from 'wouter';
import { answer, api } from '../api/api-client.ts';
import type { Bases, Dependents } from '../api/replies.ts';
import { newCampaignPath } from '../campaigns/draft.ts';
import { Answered } from '../components/answered.tsx';
import { DataTable } from '../components/data-table.tsx';
import { Tone } from '../components/state-badge.tsx';
import { isAtLeast, useSession } from '../session/session.ts';

const dependentsShown = 50;

const ToImage = ({ id, children }: { id: string; children: string }) => (
  <Anchor component={Link} href={`/images/${id}`} size="sm" style={{ overflowWrap: 'anywhere' }}>
    {children}
  </Anchor>
);

/** What an image of a build was made from, and whether a newer image of its tag is known. */
export function ImageBases({ id }: { id: string }) {
  const found = useQuery({
    queryKey: ['bases', id],
    queryFn: ({ signal }) =>
      answer(api.GET('/api/v1/images/{ImageId}/bases', { params: { path: { ImageId: id } }, signal })),
  });
  if (found.data?.Bases.length === 0) return null;
  return (
    <Card withBorder>
      <Title order={2} size="h5" mb="xs">
        What it stands on
      </Title>
      <Answered query={found} rows={2} height={32}>
        {({ Bases: bases }) => (
          <DataTable
            label="Bases"
            minWidth={560}
            rows={bases}
            keyOf={(it) => `${it.Image} ${it.Platform}`}
            columns={[
              { title: 'Base', cell: (it) => <Base base={it} /> },
              { title: 'For', cell: (it) => it.Platform },
              { title: 'State', end: true, cell: (it) => <Freshness base={it} /> },
            ]}
          />
        )}
      </Answered>
    </Card>
  );
}

const Base = ({ base: { Name, Entry, Depth, Image } }: { base: Bases['Bases'][number] }) => (
  <Stack gap={0} pl={(Depth - 1) * 16}>
    {Entry ? <ToImage id={Entry.ImageId}>{Name}</ToImage> : <Text size="sm">{Name}</Text>}
    <Text size="xs" c="dimmed" ff="monospace">
      {(Image.split('@')[1] ?? '').slice(0, 19)}
    </Text>
  </Stack>
);

function Freshness({ base: { Newer, LatestDigest } }: { base: Bases['Bases'][number] }) {
  if (!Newer && LatestDigest === undefined) return <Tone tone="good">no newer one is known</Tone>;
  return (
    <Group gap="xs" justify="flex-end">
      <Tone tone="warn">has a newer image</Tone>
      {Newer && <ToImage id={Newer.ImageId}>{Newer.Name}</ToImage>}
    </Group>
  );
}

/** The images that were made from an image. */
export function ImageDependents({ id }: { id: string }) {
  const isOperator = isAtLeast(useSession(), 'operator');
  const found = useQuery({
    queryKey: ['dependents', id],
    queryFn: ({ signal }) => {
      const params = { path: { ImageId: id }, query: { Limit: String(dependentsShown) } };
      return answer(api.GET('/api/v1/images/{ImageId}/dependents', { params, signal }));
    },
  });
  if (!found.data || found.data.TotalCount === 0) return null;
  return (
    <Card withBorder>
      <Group justify="space-between" mb="xs">
        <Title order={2} size="h5">
          What stands on it
        </Title>
        {isOperator && (
          <Button component={Link} href={newCampaignPath({ from: id })} size="xs" variant="default">
            Build these anew
          </Button>
        )}
      </Group>
      <DependentTable dependents={found.data} />
    </Card>
  );
}

const DependentTable = ({ dependents: { TotalCount, Dependents: rows } }: { dependents: Dependents }) => (
  <Stack gap="xs">
    <DataTable
      label="Dependents"
      minWidth={480}
      rows={rows}
      keyOf={(it) => it.ImageId}
      columns={[
        { title: 'Image', cell: (it) => <ToImage id={it.ImageId}>{it.Name}</ToImage> },
        { title: 'Reference', cell: (it) => it.ImageUri },
        {
          title: 'Made from it',
          end: true,
          cell: (it) => (it.Depth === 1 ? 'directly' : `by ${it.Depth - 1} in between`),
        },
      ]}
    />
    {TotalCount > rows.length && (
      <Text size="sm" c="dimmed">
        {TotalCount - rows.length} more
      </Text>
    )}
  </Stack>
);
