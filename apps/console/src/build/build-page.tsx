import { isTerminal } from '@kiln/domain/build-states';
import { Alert, Anchor, Card, Group, Stack, Tabs, Text } from '@mantine/core';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useCallback, useEffect, useMemo, useState, useSyncExternalStore } from 'react';
import { Link } from 'wouter';
import { ApiError } from '../api/api-client.ts';
import { buildKey, buildQuery } from '../api/build.ts';
import { type Build, requestOf } from '../api/replies.ts';
import { Elapsed } from '../builds/build-rows.tsx';
import { Answered } from '../components/answered.tsx';
import { bytes, duration, exact } from '../components/format.ts';
import { Page, useTitle } from '../components/page.tsx';
import { StateBadge } from '../components/state-badge.tsx';
import { When } from '../components/when.tsx';
import { BuildActions } from './build-actions.tsx';
import { BuildFiles } from './build-files.tsx';
import { ComparisonTable } from './comparison.tsx';
import { Diagnosis } from './diagnosis.tsx';
import { DockerfileView } from './dockerfile-view.tsx';
import { FollowedLog } from './followed-log.ts';
import { type LogPlace, LogView } from './log-view.tsx';
import { RequestView } from './request-view.tsx';
import { Timeline } from './timeline.tsx';

export default function BuildPage({ id }: { id: string }) {
  const build = useQuery({
    ...buildQuery(id),
    // The log tells of each change; this is for a place in line, and for what is missed.
    refetchInterval: ({ state }) =>
      (state.data && isTerminal(state.data.State)) || (state.error instanceof ApiError && state.error.status < 500)
        ? false
        : 4000,
  });
  return (
    <Answered query={build} rows={6} height={80}>
      {(data) => <Shown build={data} />}
    </Answered>
  );
}

function useFollowedLog({ ImageBuildId: buildId, Attempt: newest }: Build) {
  const client = useQueryClient();
  const [from] = useState(newest);
  const log = useMemo(
    () => new FollowedLog(buildId, from, () => void client.invalidateQueries({ queryKey: buildKey(buildId) })),
    [buildId, from, client],
  );
  useEffect(() => log.open(), [log]);
  const onAttempt = useCallback((attempt: number) => log.show(attempt), [log]);
  return { view: useSyncExternalStore(log.subscribe, log.view), onAttempt };
}

function Shown({ build }: { build: Build }) {
  useTitle(build.ImageName);
  const { view: log, onAttempt } = useFollowedLog(build);
  const [goTo, setGoTo] = useState<LogPlace>();
  const [tab, setTab] = useState<string | null>('log');
  const { Dockerfile: dockerfile, Context: context, NamedContexts: named } = requestOf(build).BuildConfig ?? {};
  const error = build.Error;
  const showLine = (attempt: number, line: number) => {
    setTab('log');
    setGoTo({ attempt, line });
  };
  return (
    <Page
      title={
        <Group gap="sm" wrap="wrap">
          {build.ImageName}
          <StateBadge state={build.State} />
        </Group>
      }
      actions={<BuildActions build={build} />}
    >
      <Facts build={build} />
      {error && <Diagnosis error={error} showDockerfile={() => setTab('dockerfile')} />}
      {build.Waiting && (
        <Alert color="blue" variant="light" title={`Waiting, number ${build.Waiting.Position} in line`}>
          {build.Waiting.Message}
        </Alert>
      )}
      {build.Notes.length > 0 && (
        <Alert color="gray" variant="light" title="Not quite as requested">
          {build.Notes.map((it) => (
            <Text key={it} size="sm">
              {it}
            </Text>
          ))}
        </Alert>
      )}
      <Card withBorder>
        <Timeline build={build} onStep={(step) => showLine(step.Attempt, step.LogLine)} />
      </Card>
      <Tabs value={tab} onChange={setTab} keepMounted={false}>
        <Tabs.List aria-label="More of the build">
          <Tabs.Tab value="log">Log</Tabs.Tab>
          <Tabs.Tab value="dockerfile">Dockerfile</Tabs.Tab>
          {(context ?? named) && <Tabs.Tab value="files">Files</Tabs.Tab>}
          <Tabs.Tab value="comparison">Compared</Tabs.Tab>
          <Tabs.Tab value="request">Request</Tabs.Tab>
          <Tabs.Tab value="events">Events</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="log" pt="sm">
          <LogView
            buildId={build.ImageBuildId}
            log={log}
            onAttempt={onAttempt}
            attempts={build.Attempt}
            steps={build.Steps}
            goTo={goTo}
            onWent={() => setGoTo(undefined)}
          />
        </Tabs.Panel>
        <Tabs.Panel value="dockerfile" pt="sm">
          <DockerfileView
            text={dockerfile ?? ''}
            {...(error?.FirstLine === undefined
              ? {}
              : { failed: [error.FirstLine, error.LastLine ?? error.FirstLine] as const })}
          />
        </Tabs.Panel>
        <Tabs.Panel value="files" pt="sm">
          <BuildFiles context={context} named={named ?? {}} />
        </Tabs.Panel>
        <Tabs.Panel value="comparison" pt="sm">
          <ComparisonTable build={build} />
        </Tabs.Panel>
        <Tabs.Panel value="request" pt="sm">
          <RequestView build={build} />
        </Tabs.Panel>
        <Tabs.Panel value="events" pt="sm">
          <Events build={build} />
        </Tabs.Panel>
      </Tabs>
    </Page>
  );
}

/** What brought a build to its builder, in words. */
const placements = {
  warm: 'has built what it begins with',
  spilled: 'those that have built what it begins with were busy',
  cold: 'none had built what it begins with',
} as const;

/** The builder that has a build, or had it last, and why. */
function builderOf({ Attempts }: Build): [string, React.ReactNode][] {
  const last = Attempts.at(-1);
  if (!last) return [];
  const held = last.HeldSeconds === undefined ? '' : `, held back for ${last.HeldSeconds.toFixed(1)} s`;
  const why = last.Placement === undefined ? '' : ` (${placements[last.Placement]}${held})`;
  return [['Builder', `${last.Worker}${why}`]];
}

function Facts({ build }: { build: Build }) {
  const facts: [string, React.ReactNode][] = [
    [
      'Image',
      <Text key="uri" span ff="monospace" size="sm" style={{ overflowWrap: 'anywhere' }}>
        {build.ImageUri}
      </Text>,
    ],
    ['Created', <When key="at" at={build.GmtCreateTime} />],
    [
      'Took',
      build.GmtStartTime === undefined ? (
        '—'
      ) : build.GmtFinishTime === undefined ? (
        <Elapsed key="took" since={build.GmtStartTime} />
      ) : (
        duration(Date.parse(build.GmtFinishTime) - Date.parse(build.GmtStartTime))
      ),
    ],
    ...builderOf(build),
    ...(build.SizeInBytes === undefined ? [] : [['Size', bytes(build.SizeInBytes)] as [string, string]]),
    ...(build.ImageId === undefined
      ? []
      : [
          [
            'Catalogue',
            <Anchor key="image" component={Link} href={`/images/${build.ImageId}`} size="sm">
              Open the image
            </Anchor>,
          ] as [string, React.ReactNode],
        ]),
    ...(build.Repeats
      ? [
          [
            build.Repeats.Lineage === 'retry' ? 'Retry of' : 'Rerun of',
            <Anchor key="of" component={Link} href={`/builds/${build.Repeats.ImageBuildId}`} size="sm">
              {build.Repeats.ImageBuildId}
            </Anchor>,
          ] as [string, React.ReactNode],
        ]
      : []),
  ];
  return (
    <Group gap="xl" component="dl" my={0} align="start">
      {facts.map(([name, value]) => (
        <Stack key={name} gap={0}>
          <Text component="dt" size="xs" c="dimmed">
            {name}
          </Text>
          <Text component="dd" size="sm" m={0} style={{ fontVariantNumeric: 'tabular-nums' }}>
            {value}
          </Text>
        </Stack>
      ))}
    </Group>
  );
}

function Events({ build }: { build: Build }) {
  return (
    <Stack gap={6} component="ol" m={0} p={0} style={{ listStyle: 'none' }}>
      {build.Events.map((it, n) => (
        <Group key={n} component="li" gap="sm" wrap="nowrap" align="start">
          <Text size="sm" c="dimmed" w={170} style={{ flex: 'none' }}>
            {exact(it.Time)}
          </Text>
          <StateBadge state={it.State} />
          <Text size="sm" style={{ overflowWrap: 'anywhere' }}>
            {it.Message}
          </Text>
        </Group>
      ))}
    </Stack>
  );
}
