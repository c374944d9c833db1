import { type Build, type BuildEvent } from '@kiln/persistence';
import { type BuildState, isTerminal } from '@kiln/schemas';

/** DLC's word for each state of a build. */
const jobStatus: Record<BuildState, string> = {
  queued: 'Queuing',
  assigned: 'EnvPreparing',
  running: 'Running',
  publishing: 'Running',
  registering: 'Running',
  cancelling: 'Stopping',
  succeeded: 'Succeeded',
  cancelled: 'Stopped',
  failed: 'Failed',
  timed_out: 'Failed',
  expired: 'Failed',
};

/** DLC writes whole seconds. */
export const dlcTime = (at: Date): string => `${at.toISOString().slice(0, 19)}Z`;

const timed = (name: string, at: Date | null | undefined) => (at ? { [name]: dlcTime(at) } : {});

export const podId = (build: Build): string => `${build.jobId}-worker-0`;

// A UUID that stays the same for a build: its job id's letters in hexadecimal.
export function podUid(build: Build): string {
  const hex = Buffer.from(build.jobId.slice(4)).toString('hex').slice(0, 32).padEnd(32, '0');
  return [hex.slice(0, 8), hex.slice(8, 12), `4${hex.slice(13, 16)}`, `8${hex.slice(17, 20)}`, hex.slice(20, 32)].join(
    '-',
  );
}

function reason(build: Build): { ReasonCode: string; ReasonMessage: string } {
  switch (build.state) {
    case 'succeeded':
      return { ReasonCode: 'JobSucceeded', ReasonMessage: `published ${build.digest ?? ''}` };
    case 'cancelled':
      return { ReasonCode: 'JobStoppedByUser', ReasonMessage: 'stopped on request' };
    default: {
      const { error } = build;
      const hint = error?.hint === undefined ? '' : ` (${error.hint})`;
      return { ReasonCode: error?.code ?? '', ReasonMessage: error ? error.message + hint : '' };
    }
  }
}

/** Status changes as DLC lists them: states that share a word are one entry. */
function history(build: Build, events: BuildEvent[]) {
  const entries: { Status: string; StartTime: string; EndTime?: string }[] = [
    { Status: 'Creating', StartTime: dlcTime(build.createdAt) },
  ];
  for (const event of events) {
    const last = entries.at(-1);
    if (!last || last.Status === jobStatus[event.state]) continue;
    last.EndTime = dlcTime(event.at);
    entries.push({ Status: jobStatus[event.state], StartTime: dlcTime(event.at) });
  }
  return entries;
}

/** A build as DLC's GetJob shows it: one job with one worker pod. */
export function renderJob(build: Build, events: BuildEvent[]) {
  const status = jobStatus[build.state];
  const ended = isTerminal(build.state);
  const running = events.find((it) => it.state === 'running')?.at;
  const durationSeconds = build.startedAt
    ? ((build.finishedAt ?? new Date()).getTime() - build.startedAt.getTime()) / 1000
    : 0;
  const { Resource } = build.spec;
  return {
    JobId: build.jobId,
    DisplayName: build.displayName,
    JobType: 'ImageBuild',
    Status: status,
    SubStatus: build.phase,
    ...reason(build),
    Duration: Math.round(durationSeconds),
    GmtCreateTime: dlcTime(build.createdAt),
    GmtSubmittedTime: dlcTime(build.createdAt),
    ...timed('GmtRunningTime', running),
    ...timed('GmtFinishTime', build.finishedAt),
    ...timed('GmtSuccessedTime', build.state === 'succeeded' ? build.finishedAt : null),
    ...timed('GmtStoppedTime', build.state === 'cancelled' ? build.finishedAt : null),
    ...timed('GmtFailedTime', ended && status === 'Failed' ? build.finishedAt : null),
    WorkspaceId: build.workspaceId,
    UserId: build.userId,
    ...(Resource.ResourceId === undefined ? {} : { ResourceId: Resource.ResourceId }),
    Accessibility: build.accessibility,
    Priority: 1,
    JobSpecs: [
      {
        Type: 'Worker',
        Image: build.spec.Image.Uri,
        PodCount: 1,
        ...(Resource.EcsSpec === undefined ? {} : { EcsSpec: Resource.EcsSpec }),
        ...(Resource.ResourceConfig === undefined ? {} : { ResourceConfig: Resource.ResourceConfig }),
      },
    ],
    StatusHistory: history(build, events),
    Pods: [
      {
        PodId: podId(build),
        PodUid: podUid(build),
        Type: 'Worker',
        Status: status,
        SubStatus: build.phase,
        GmtCreateTime: dlcTime(build.createdAt),
        ...timed('GmtStartTime', build.startedAt),
        ...timed('GmtFinishTime', build.finishedAt),
        Duration: durationSeconds,
        HistoryPods: [],
      },
    ],
    ImageBuildId: build.id,
  };
}

/** An event as a line of text. */
export const renderEvent = (event: BuildEvent): string =>
  `${dlcTime(event.at)} [${jobStatus[event.state]}] ${event.message}`;
