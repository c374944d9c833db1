import { Anchor, Card, Grid, Group, Progress, SegmentedControl, SimpleGrid, Stack, Text, Title } from '@mantine/core';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useMemo, useState } from 'react';
import { Link } from 'wouter';
import { answer, api } from '../api/api-client.ts';
import type { Overview } from '../api/replies.ts';
import { Answered } from '../components/answered.tsx';
import { duration } from '../components/format.ts';
import { Page, useTitle } from '../components/page.tsx';
import { Empty } from '../components/page-state.tsx';
import { LatestBuilds } from './latest-builds.tsx';
import { type Series, TimeChart } from './time-chart.tsx';

const ranges = { '6': '6 h', '24': '24 h', '168': '7 d' };

export default function OverviewPage() {
  useTitle('Overview');
  const [hours, setHours] = useState('24');
  const overview = useQuery({
    queryKey: ['overview', hours],
    queryFn: ({ signal }) => answer(api.GET('/api/v1/overview', { params: { query: { Hours: hours } }, signal })),
    refetchInterval: 5000,
    placeholderData: keepPreviousData,
  });
  const range = (
    <SegmentedControl
      aria-label="Period"
      value={hours}
      onChange={setHours}
      data={Object.entries(ranges).map(([value, label]) => ({ value, label }))}
    />
  );
  return (
    <Page title="Overview" actions={range}>
      <Answered query={overview} rows={5} height={96}>
        {(data) => <Figures overview={data} />}
      </Answered>
    </Page>
  );
}

function Figures({ overview }: { overview: Overview }) {
  const { Live, Pieces, Failures, Pools } = overview;
  const sum = (pick: (it: Overview['Pieces'][number]) => number) => Pieces.reduce((total, it) => total + pick(it), 0);
  const running = (Live.assigned ?? 0) + (Live.running ?? 0) + (Live.publishing ?? 0) + (Live.registering ?? 0);
  const failed = sum((it) => it.Failed);
  const oldest = overview.OldestWaitingSeconds;
  const median = overview.MedianSeconds;
  return (
    <Stack gap="lg">
      <SimpleGrid cols={{ base: 2, sm: 3, lg: 6 }} spacing="sm">
        <Figure label="Running" value={running} />
        <Figure label="Waiting" value={Live.queued ?? 0} />
        <Figure label="Oldest waiting" value={oldest === undefined ? '—' : duration(oldest * 1000)} />
        <Figure label="Succeeded" value={sum((it) => it.Succeeded)} tone="var(--kiln-good)" />
        <Figure label="Failed" value={failed} {...(failed > 0 ? { tone: 'var(--kiln-bad)' } : {})} />
        <Figure
          label="Median time"
          value={median === undefined ? '—' : duration(median * 1000)}
          note={overview.SlowSeconds === undefined ? undefined : `95 % under ${duration(overview.SlowSeconds * 1000)}`}
        />
      </SimpleGrid>
      <Charts pieces={Pieces} charts={buildCharts(Pieces)} />
      <Grid gap="lg">
        <Grid.Col span={{ base: 12, md: 7 }}>
          <Card withBorder h="100%">
            <Group justify="space-between" mb="xs">
              <Title order={2} size="h5">
                Latest builds
              </Title>
              <Anchor component={Link} href="/builds" size="sm">
                All builds
              </Anchor>
            </Group>
            <LatestBuilds />
          </Card>
        </Grid.Col>
        <Grid.Col span={{ base: 12, md: 5 }}>
          <Stack gap="lg" h="100%">
            <Card withBorder>
              <Title order={2} size="h5" mb="xs">
                Builders
              </Title>
              {Pools.every((it) => it.Slots === 0) ? (
                <Text size="sm">No builder is connected: builds wait until one is.</Text>
              ) : (
                Pools.map((it) => <PoolUse key={it.Pool} {...it} />)
              )}
            </Card>
            <Card withBorder style={{ flex: 1 }}>
              <Title order={2} size="h5" mb="xs">
                Why builds failed
              </Title>
              {Failures.length === 0 ? (
                <Empty title="Nothing failed" />
              ) : (
                Failures.map((it) => (
                  <FailureBar key={`${it.Code} ${it.Reason ?? ''}`} failure={it} most={Failures[0]?.Count ?? 1} />
                ))
              )}
            </Card>
          </Stack>
        </Grid.Col>
      </Grid>
      <Charts pieces={Pieces} charts={queueCharts(Pieces)} />
    </Stack>
  );
}

function Figure({
  label,
  value,
  note,
  tone,
}: {
  label: string;
  value: number | string;
  note?: string | undefined;
  tone?: string;
}) {
  return (
    <Card withBorder padding="sm" mih={96}>
      <Text size="sm" c="dimmed">
        {label}
      </Text>
      <Text
        fz={26}
        fw={650}
        lh={1.3}
        style={{ fontVariantNumeric: 'tabular-nums' }}
        {...(tone === undefined ? {} : { c: tone })}
      >
        {value}
      </Text>
      {note !== undefined && (
        <Text size="xs" c="dimmed">
          {note}
        </Text>
      )}
    </Card>
  );
}

function PoolUse({ Pool, Slots, Busy }: Overview['Pools'][number]) {
  const name = Pool === '' ? 'Common pool' : `Pool ${Pool}`;
  return (
    <Stack gap={4} mb="sm">
      <Group justify="space-between">
        <Text size="sm">{name}</Text>
        <Text size="sm" c="dimmed">
          {Busy} of {Slots} slots busy
        </Text>
      </Group>
      <Progress value={Slots === 0 ? 0 : (100 * Busy) / Slots} aria-label={`${name}: slots that are busy`} />
    </Stack>
  );
}

function FailureBar({ failure, most }: { failure: Overview['Failures'][number]; most: number }) {
  return (
    <Stack gap={2} mb="xs">
      <Group justify="space-between" wrap="nowrap">
        <Text size="sm" truncate>
          {failure.Reason ?? failure.Code}
        </Text>
        <Text size="sm" c="dimmed">
          {failure.Count}
        </Text>
      </Group>
      <Progress
        value={(100 * failure.Count) / most}
        color="red.8"
        size="sm"
        aria-label={`${failure.Reason ?? failure.Code}: ${failure.Count}`}
      />
    </Stack>
  );
}

const seriesOf = (
  pieces: Overview['Pieces'],
  label: string,
  tone: Series['tone'],
  valueOf: (it: Overview['Pieces'][number]) => number,
): Series => ({ label, tone, values: pieces.map(valueOf) });

const mostOf = (all: Series[]) => all.map((it) => `${it.label} ${Math.max(0, ...it.values)}`).join(', ');
const sumOf = (all: Series[]) =>
  all.map((it) => `${it.label} ${it.values.reduce((sum, value) => sum + value, 0)}`).join(', ');

interface Chart {
  title: string;
  series: Series[];
  bars?: true;
  summary: string;
}

function Charts({ pieces, charts }: { pieces: Overview['Pieces']; charts: Chart[] }) {
  const at = useMemo(() => pieces.map((it) => Date.parse(it.Time) / 1000), [pieces]);
  return (
    <SimpleGrid cols={{ base: 1, lg: 2 }} spacing="lg">
      {charts.map(({ title, series, bars = false, summary }) => (
        <Card withBorder key={title}>
          <Title order={2} size="h5" mb="xs">
            {title}
          </Title>
          <TimeChart at={at} series={series} bars={bars} summary={summary} />
        </Card>
      ))}
    </SimpleGrid>
  );
}

function buildCharts(pieces: Overview['Pieces']): Chart[] {
  const ends = [
    seriesOf(pieces, 'Cancelled', 'quiet', (it) => it.Cancelled),
    seriesOf(pieces, 'Failed', 'bad', (it) => it.Failed),
    seriesOf(pieces, 'Succeeded', 'good', (it) => it.Succeeded),
  ];
  const load = [
    seriesOf(pieces, 'Waiting', 'warm', (it) => it.Waiting),
    seriesOf(pieces, 'Running', 'busy', (it) => it.Running),
  ];
  return [
    { title: 'Builds that ended', series: ends, bars: true, summary: `In this period: ${sumOf(ends)}.` },
    { title: 'Waiting and running', series: load, summary: `At most at once: ${mostOf(load)}.` },
  ];
}

function queueCharts(pieces: Overview['Pieces']): Chart[] {
  const age = [seriesOf(pieces, 'Minutes', 'warm', (it) => Math.round(it.OldestWaitingSeconds / 6) / 10)];
  const slots = [
    seriesOf(pieces, 'Slots', 'quiet', (it) => it.Slots ?? 0),
    seriesOf(pieces, 'Busy', 'busy', (it) => it.SlotsBusy ?? 0),
  ];
  return [
    {
      title: 'Age of the queue',
      series: age,
      summary: `The oldest waiting build had waited, at most: ${mostOf(age)}.`,
    },
    { title: 'Slots of builders', series: slots, summary: `At most: ${mostOf(slots)}.` },
  ];
}
