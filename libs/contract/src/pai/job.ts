import { z } from 'zod';
import { type BuildState, buildStates, type Lane, visibilities } from '@kiln/domain';
import { oneOf, queryBoolean, queryInt, queryTime, text } from '../text.ts';
import { pageNumber, pageSize } from './image.ts';

/** DLC's word for each state of a build. */
export const jobStatus = {
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
} as const satisfies Record<BuildState, string>;

/** DLC's priority, from 1 to 9, for each lane. */
export const lanePriorities = { interactive: 9, normal: 5, bulk: 1 } as const satisfies Record<Lane, number>;

/** Every status that DLC knows; those that no build has find nothing. */
const jobStatuses = [
  'Creating',
  'Queuing',
  'Bidding',
  'EnvPreparing',
  'SanityChecking',
  'Running',
  'Restarting',
  'Stopping',
  'SucceededReserving',
  'FailedReserving',
  'Succeeded',
  'Failed',
  'Stopped',
] as const;

/** The states of a build that a job's status stands for. */
export const statesOfStatus = (status: string): BuildState[] => buildStates.filter((it) => jobStatus[it] === status);

const commaList = (max: number) =>
  text(16_384)
    .transform((it) => it.split(',').filter(Boolean))
    .refine((it) => it.length <= max, `must name at most ${max}`);

export const listJobsQuery = z.object({
  WorkspaceId: text(64).optional(),
  DisplayName: text(512).optional(),
  JobId: text(128).optional(),
  JobIds: commaList(100).optional(),
  JobType: text(64).optional(),
  Status: oneOf(jobStatuses).optional(),
  ResourceId: text(128).optional(),
  ShowOwn: queryBoolean.default(false),
  Accessibility: oneOf(visibilities).optional(),
  SortBy: oneOf(['GmtCreateTime', 'GmtFinishTime', 'DisplayName', 'JobId']).default('GmtCreateTime'),
  Order: text(8)
    .transform((it) => it.toLowerCase())
    .pipe(oneOf(['desc', 'asc']))
    .default('desc'),
  StartTime: queryTime.optional(),
  EndTime: queryTime.optional(),
  PageNumber: pageNumber,
  PageSize: pageSize(20),
});
export type ListJobsQuery = z.infer<typeof listJobsQuery>;

export const getJobQuery = z.object({ NeedDetail: queryBoolean.default(true) });

const range = { StartTime: queryTime.optional(), EndTime: queryTime.optional() };
const events = { ...range, MaxEventsNum: queryInt(1, 10_000).default(2000) };

export const jobEventsQuery = z.object(events);
export const podEventsQuery = z.object({ ...events, PodUid: text(64).optional() });
export const podLogsQuery = z.object({
  ...range,
  PodUid: text(64).optional(),
  MaxLines: queryInt(1, 10_000).default(2000),
  DownloadToFile: queryBoolean.default(false),
});

/** A build as DLC shows it: a job with one worker pod. */
export const shownJob = z
  .object({
    JobId: z.string(),
    DisplayName: z.string(),
    JobType: z.string(),
    Status: z.enum(jobStatuses),
    SubStatus: z.string().describe('what the attempt is doing'),
    ReasonCode: z.string(),
    ReasonMessage: z.string(),
    Duration: z.int().describe('seconds'),
    GmtCreateTime: z.iso.datetime(),
    GmtSubmittedTime: z.iso.datetime(),
    GmtRunningTime: z.iso.datetime().optional(),
    GmtFinishTime: z.iso.datetime().optional(),
    GmtSuccessedTime: z.iso.datetime().optional(),
    GmtFailedTime: z.iso.datetime().optional(),
    GmtStoppedTime: z.iso.datetime().optional(),
    WorkspaceId: z.string(),
    WorkspaceName: z.string(),
    UserId: z.string(),
    ResourceId: z.string().optional(),
    Accessibility: z.enum(visibilities),
    Priority: z.int(),
    JobSpecs: z.array(
      z.object({
        Type: z.string(),
        Image: z.string(),
        PodCount: z.int(),
        EcsSpec: z.string().optional(),
        ResourceConfig: z.object({ CPU: z.string().optional(), Memory: z.string().optional() }).optional(),
      }),
    ),
    StatusHistory: z
      .array(
        z.object({
          Status: z.string(),
          StartTime: z.iso.datetime(),
          EndTime: z.iso.datetime().optional(),
          ReasonCode: z.string().optional(),
          ReasonMessage: z.string().optional(),
        }),
      )
      .optional(),
    Pods: z
      .array(
        z.object({
          PodId: z.string(),
          PodUid: z.string(),
          Type: z.string(),
          Status: z.string(),
          SubStatus: z.string(),
          GmtCreateTime: z.iso.datetime(),
          GmtStartTime: z.iso.datetime().optional(),
          GmtFinishTime: z.iso.datetime().optional(),
          Duration: z.number().describe('seconds'),
          HistoryPods: z.array(z.unknown()),
        }),
      )
      .optional(),
    ImageBuildId: z.string(),
  })
  .meta({ id: 'DlcJob' });
