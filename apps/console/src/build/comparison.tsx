import { Alert, Anchor, Stack, Table, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link } from 'wouter';
import { answer, api } from '../api/api-client.ts';
import type { Build, Comparison } from '../api/replies.ts';
import { Answered } from '../components/answered.tsx';
import { duration } from '../components/format.ts';
import { Empty } from '../components/page-state.tsx';
import { When } from '../components/when.tsx';
import { WideTable } from '../components/wide-table.tsx';

const shown = (ms: number | undefined): string => (ms === undefined ? '—' : duration(ms));

/** A build beside the one of the same repository before it. */
export function ComparisonTable({ build }: { build: Build }) {
  const comparison = useQuery({
    queryKey: ['comparison', build.ImageBuildId, build.State],
    queryFn: ({ signal }) =>
      answer(
        api.GET('/api/v1/imagebuilds/{ImageBuildId}/comparison', {
          params: { path: { ImageBuildId: build.ImageBuildId } },
          signal,
        }),
      ),
  });
  return (
    <Answered query={comparison} rows={5} height={32}>
      {(data) => <Compared comparison={data} />}
    </Answered>
  );
}

function Compared({ comparison }: { comparison: Comparison }) {
  const { Previous, FirstChange, Phases, Steps, DurationMs, PreviousMs } = comparison;
  if (!Previous)
    return (
      <Empty title="It is the first one">No build of this repository came to an end in this workspace before.</Empty>
    );
  return (
    <Stack>
      <Text size="sm">
        Beside{' '}
        <Anchor component={Link} href={`/builds/${Previous.ImageBuildId}`} underline="always">
          {Previous.ImageUri}
        </Anchor>
        , <When at={Previous.GmtCreateTime} />.
      </Text>
      {FirstChange && (
        <Alert color="blue" variant="light" title={`Step ${FirstChange.Step} was the first that had to run`}>
          <Text size="sm" ff="monospace" style={{ overflowWrap: 'anywhere' }}>
            {FirstChange.Instruction}
          </Text>
          <Text size="sm">{FirstChange.Why}</Text>
        </Alert>
      )}
      <WideTable label="Comparison" minWidth={480}>
        <Table>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>What</Table.Th>
              <Table.Th ta="end">This build</Table.Th>
              <Table.Th ta="end">Before</Table.Th>
              <Table.Th ta="end">Difference</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            <Row name="In all" now={DurationMs} before={PreviousMs} />
            {Phases.map((it) => (
              <Row key={it.Phase} name={`Phase ${it.Phase}`} now={it.DurationMs} before={it.PreviousMs} />
            ))}
            {Steps.map((it) => (
              <Row
                key={it.Step}
                name={`${it.Step}. ${it.Instruction}`}
                mono
                now={it.DurationMs}
                before={it.PreviousMs}
                note={it.Result === 'cached' ? 'cached' : undefined}
              />
            ))}
          </Table.Tbody>
        </Table>
      </WideTable>
    </Stack>
  );
}

function Row({
  name,
  now,
  before,
  note,
  mono,
}: {
  name: string;
  now?: number | undefined;
  before?: number | undefined;
  note?: string | undefined;
  mono?: boolean;
}) {
  const difference = now === undefined || before === undefined ? undefined : now - before;
  return (
    <Table.Tr>
      <Table.Td>
        <Text size="sm" {...(mono ? { ff: 'monospace' } : {})} lineClamp={2}>
          {name}
        </Text>
      </Table.Td>
      <Table.Td ta="end">{note ?? shown(now)}</Table.Td>
      <Table.Td ta="end">{shown(before)}</Table.Td>
      <Table.Td ta="end">
        {difference === undefined ? '—' : `${difference < 0 ? '−' : '+'}${duration(Math.abs(difference))}`}
      </Table.Td>
    </Table.Tr>
  );
}
