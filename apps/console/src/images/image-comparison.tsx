import { Button, Card, Group, Stack, Text, Title } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { answer, api } from '../api/api-client.ts';
import type { ImageComparison as Comparison } from '../api/replies.ts';
import { Answered } from '../components/answered.tsx';
import { DataTable } from '../components/data-table.tsx';
import { bytes } from '../components/format.ts';
import { Fact } from './fact.tsx';

const grown = (now: number, before: number): string => {
  const more = now - before;
  return `${bytes(now)} (${more >= 0 ? '+' : '−'}${bytes(Math.abs(more))})`;
};

/** In what an image differs from the one of its repository before it, once somebody wants to know. */
export function ImageComparison({ id }: { id: string }) {
  const [isWanted, setWanted] = useState(false);
  const found = useQuery({
    queryKey: ['comparison', id],
    queryFn: ({ signal }) =>
      answer(api.GET('/api/v1/images/{ImageId}/comparison', { params: { path: { ImageId: id } }, signal })),
    enabled: isWanted,
    retry: false,
  });
  return (
    <Card withBorder>
      <Title order={2} size="h5" mb="xs">
        What changed in it
      </Title>
      {isWanted ? (
        <Answered query={found} rows={3} height={32}>
          {(data) => <Shown comparison={data} />}
        </Answered>
      ) : (
        <Group>
          <Button variant="default" size="xs" onClick={() => setWanted(true)}>
            Compare with the image before it
          </Button>
        </Group>
      )}
    </Card>
  );
}

function Shown({ comparison }: { comparison: Comparison }) {
  const { Previous, Packages, Facts, SharedLayers, Layers, Incomplete } = comparison;
  const rows = [...Facts, ...Packages];
  return (
    <Stack gap="sm">
      <Text size="sm" c="dimmed" style={{ overflowWrap: 'anywhere' }}>
        Since {Previous}
        {Incomplete && '; of one of the two, not all is known'}
      </Text>
      <Group gap="xl">
        <Fact name="Size">{grown(comparison.SizeInBytes, comparison.PreviousSizeInBytes)}</Fact>
        <Fact name="Unpacked">{grown(comparison.UnpackedInBytes, comparison.PreviousUnpackedInBytes)}</Fact>
        <Fact name="Layers">
          {SharedLayers} shared, {Layers.length} new
        </Fact>
      </Group>
      {rows.length === 0 ? (
        <Text size="sm">The packages are the same.</Text>
      ) : (
        <DataTable
          label="Differences"
          minWidth={480}
          rows={rows}
          keyOf={(it) => it.Name}
          columns={[
            { title: 'What', cell: (it) => it.Name },
            { title: 'Before', cell: (it) => it.Before ?? '—' },
            { title: 'Now', cell: (it) => it.Now ?? '—' },
          ]}
        />
      )}
    </Stack>
  );
}
