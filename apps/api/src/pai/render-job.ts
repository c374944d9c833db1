import type { BuildEvent, ShownBuild } from '@kiln/persistence';
import { formatReference, isTerminal } from '@kiln/domain';
import { jobStatus, lanePriorities } from '@kiln/contract';
import { optional } from '../http/optional.ts';
import { renderResources } from './build-request.ts';
import type { ShownPlace } from '../usecases/place-in-line.ts';

/** DLC writes whole seconds. */
export const dlcTime = (at: Date): string => `${at.toISOString().slice(0, 19)}Z`;

const timed = (name: string, at: Date | null | undefined) => (at ? { [name]: dlcTime(at) } : {});

export const podId = (jobId: string): string => `${jobId}-worker-0`;

// A UUID that stays the same for a build: its job id's letters in hexadecimal.
export function podUid(jobId: string): string {
  const hex = Buffer.from(jobId.slice(4)).toString('hex').slice(0, 32).padEnd(32, '0');
  return [hex.slice(0, 8), hex.slice(8, 12), `4${hex.slice(13, 16)}`, `8${hex.slice(17, 20)}`, hex.slice(20, 32)].join(
    '-',
  );
}

function reason(build: ShownBuild, place?: ShownPlace): { ReasonCode: string; ReasonMessage: string } {
  switch (build.state) {
    case 'succeeded':
      return { ReasonCode: 'JobSucceeded', ReasonMessage: `published ${build.digest ?? ''}` };
    case 'cancelled':
      return { ReasonCode: 'JobStoppedByUser', ReasonMessage: 'stopped on request' };
    case 'queued':
      return { ReasonCode: place?.reason ?? '', ReasonMessage: place?.message ?? '' };
    default: {
      const { error } = build;
      const hint = error?.hint === undefined ? '' : ` (${error.hint})`;
      return { ReasonCode: error?.code ?? '', ReasonMessage: error ? error.message + hint : '' };
    }
  }
}

interface HistoryEntry {
  Status: string;
  StartTime: string;
  EndTime?: string;
  ReasonCode?: string;
  ReasonMessage?: string;
}

/** Status changes as DLC lists them: states that share a word are one entry. */
function history(build: ShownBuild, events: BuildEvent[]) {
  const entries: HistoryEntry[] = [{ Status: 'Creating', StartTime: dlcTime(build.createdAt) }];
  for (const event of events) {
    const last = entries.at(-1);
    if (!last || last.Status === jobStatus[event.state]) continue;
    last.EndTime = dlcTime(event.at);
    entries.push({ Status: jobStatus[event.state], StartTime: dlcTime(event.at) });
  }
  const last = entries.at(-1);
  if (last && isTerminal(build.state)) Object.assign(last, reason(build));
  return entries;
}

const durationSeconds = (build: ShownBuild): number =>
  build.startedAt ? ((build.finishedAt ?? new Date()).getTime() - build.startedAt.getTime()) / 1000 : 0;

/** A build as DLC lists it: a job with one worker. */
export function renderJob(build: ShownBuild, workspaceName: string, events: BuildEvent[] = [], place?: ShownPlace) {
  const status = jobStatus[build.state];
  const ended = isTerminal(build.state);
  const { ResourceId, EcsSpec, ResourceConfig } = renderResources(build.resources);
  return {
    JobId: build.jobId,
    DisplayName: build.displayName,
    JobType: 'ImageBuild',
    Status: status,
    SubStatus: build.phase,
    ...reason(build, place),
    Duration: Math.round(durationSeconds(build)),
    GmtCreateTime: dlcTime(build.createdAt),
    GmtSubmittedTime: dlcTime(build.createdAt),
    ...timed('GmtRunningTime', events.find((it) => it.state === 'running')?.at ?? build.startedAt),
    ...timed('GmtFinishTime', build.finishedAt),
    ...timed('GmtSuccessedTime', build.state === 'succeeded' ? build.finishedAt : null),
    ...timed('GmtStoppedTime', build.state === 'cancelled' ? build.finishedAt : null),
    ...timed('GmtFailedTime', ended && status === 'Failed' ? build.finishedAt : null),
    WorkspaceId: build.workspaceId,
    WorkspaceName: workspaceName,
    UserId: build.userId,
    ...optional('ResourceId', ResourceId),
    Accessibility: build.accessibility,
    Priority: lanePriorities[build.lane],
    JobSpecs: [
      {
        Type: 'Worker',
        Image: formatReference(build),
        PodCount: 1,
        ...optional('EcsSpec', EcsSpec),
        ...optional('ResourceConfig', ResourceConfig),
      },
    ],
    ImageBuildId: build.id,
  };
}

/** What GetJob shows beside that: how the job went, and its one pod. */
export const jobDetail = (build: ShownBuild, events: BuildEvent[]) => ({
  StatusHistory: history(build, events),
  Pods: [
    {
      PodId: podId(build.jobId),
      PodUid: podUid(build.jobId),
      Type: 'Worker',
      Status: jobStatus[build.state],
      SubStatus: build.phase,
      GmtCreateTime: dlcTime(build.createdAt),
      ...timed('GmtStartTime', build.startedAt),
      ...timed('GmtFinishTime', build.finishedAt),
      Duration: durationSeconds(build),
      HistoryPods: [],
    },
  ],
});

/** An event as a line of text. */
export const renderEvent = (event: BuildEvent): string =>
  `${dlcTime(event.at)} [${jobStatus[event.state]}] ${event.message}`;
