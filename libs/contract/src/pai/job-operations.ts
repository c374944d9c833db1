import { z } from 'zod';
import { operation } from '../operation.ts';
import { getJobQuery, jobEventsQuery, listJobsQuery, podEventsQuery, podLogsQuery, shownJob } from './job.ts';

const requestId = { RequestId: z.string() };
const RequestId = '7B9EFB2C-0E2A-4F4F-8A3E-1B1C6E0F5A11';
const JobId = 'dlc-a1b2c3d4e5f6g7h8';
const PodId = `${JobId}-worker-0`;
const PodUid = '61316232-6333-4435-8536-673768380000';
const pod = { ...requestId, JobId: z.string(), PodId: z.string(), PodUid: z.string() };

const example = {
  JobId,
  DisplayName: 'torch-serving',
  JobType: 'ImageBuild',
  Status: 'Running',
  SubStatus: 'build',
  ReasonCode: '',
  ReasonMessage: '',
  Duration: 12,
  GmtCreateTime: '2026-01-21T17:12:35Z',
  GmtSubmittedTime: '2026-01-21T17:12:35Z',
  GmtRunningTime: '2026-01-21T17:12:36Z',
  WorkspaceId: '123456',
  WorkspaceName: 'default',
  UserId: '10000000000001',
  Accessibility: 'PRIVATE',
  Priority: 1,
  JobSpecs: [{ Type: 'Worker', Image: 'registry.example.com/ml/torch-serving:v1', PodCount: 1 }],
  ImageBuildId: 'build-a1b2c3d4e5f6g7h8',
};

/** Builds as PAI-DLC jobs: what PAI's users follow a build with. */
export const jobOperations = {
  ListJobs: operation({
    name: 'ListJobs',
    api: 'pai-dlc',
    method: 'GET',
    path: '/api/v1/jobs',
    summary: 'Lists builds as jobs; without times, those of the last seven days',
    query: listJobsQuery,
    reply: z.object({ ...requestId, TotalCount: z.int(), Jobs: z.array(shownJob) }),
    statuses: [200],
    errors: ['WorkspaceNotFound'],
    example: {
      query: { WorkspaceId: '123456', Status: 'Running' },
      reply: { RequestId, TotalCount: 1, Jobs: [example] },
    },
  }),
  GetJob: operation({
    name: 'GetJob',
    api: 'pai-dlc',
    method: 'GET',
    path: '/api/v1/jobs/{JobId}',
    summary: 'Shows a build as a job',
    query: getJobQuery,
    reply: shownJob.extend(requestId).meta({ id: 'GetJobReply' }),
    statuses: [200],
    errors: ['JobNotFound'],
    example: { params: { JobId }, query: { NeedDetail: 'true' }, reply: { RequestId, ...example } },
  }),
  GetJobEvents: operation({
    name: 'GetJobEvents',
    api: 'pai-dlc',
    method: 'GET',
    path: '/api/v1/jobs/{JobId}/events',
    summary: 'Lists what happened to a build, the earliest first',
    query: jobEventsQuery,
    reply: z.object({ ...requestId, JobId: z.string(), Events: z.array(z.string()) }),
    statuses: [200],
    errors: ['JobNotFound'],
    example: {
      params: { JobId },
      query: { MaxEventsNum: '100' },
      reply: { RequestId, JobId, Events: ['2026-01-21T17:12:35Z [Queuing] accepted'] },
    },
  }),
  GetPodLogs: operation({
    name: 'GetPodLogs',
    api: 'pai-dlc',
    method: 'GET',
    path: '/api/v1/jobs/{JobId}/pods/{PodId}/logs',
    summary: 'Reads a build’s log; a client goes on by moving StartTime forward',
    query: podLogsQuery,
    reply: z.object({ ...pod, Logs: z.array(z.string()) }),
    statuses: [200],
    errors: ['JobNotFound'],
    example: {
      params: { JobId, PodId },
      query: { MaxLines: '100' },
      reply: { RequestId, JobId, PodId, PodUid, Logs: ['2026-01-21 17:12:36 #1 FROM base'] },
    },
  }),
  GetPodEvents: operation({
    name: 'GetPodEvents',
    api: 'pai-dlc',
    method: 'GET',
    path: '/api/v1/jobs/{JobId}/pods/{PodId}/events',
    summary: 'Lists what happened to a build’s one pod, the earliest first',
    query: podEventsQuery,
    reply: z.object({ ...pod, Events: z.array(z.string()) }),
    statuses: [200],
    errors: ['JobNotFound'],
    example: {
      params: { JobId, PodId },
      query: { MaxEventsNum: '100' },
      reply: { RequestId, JobId, PodId, PodUid, Events: ['2026-01-21T17:12:35Z [Queuing] accepted'] },
    },
  }),
  StopJob: operation({
    name: 'StopJob',
    api: 'pai-dlc',
    method: 'POST',
    path: '/api/v1/jobs/{JobId}/stop',
    summary: 'Asks for a build to end; asking again changes nothing',
    query: z.object({}),
    reply: z.object({ ...requestId, JobId: z.string() }),
    statuses: [200],
    errors: ['JobNotFound', 'BuildAlreadyFinished', 'Forbidden'],
    example: { params: { JobId }, reply: { RequestId, JobId } },
  }),
  DeleteJob: operation({
    name: 'DeleteJob',
    api: 'pai-dlc',
    method: 'DELETE',
    path: '/api/v1/jobs/{JobId}',
    summary: 'Takes a finished build out of the list of jobs; its record and its image stay',
    query: z.object({}),
    reply: z.object({ ...requestId, JobId: z.string() }),
    statuses: [200],
    errors: ['JobNotFound', 'JobNotFinished', 'Forbidden'],
    example: { params: { JobId }, reply: { RequestId, JobId } },
  }),
};
