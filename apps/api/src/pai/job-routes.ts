import { type Build, type Database, findBuild, listEvents, readLog } from '@kiln/persistence';
import { type SignalBus } from '@kiln/queue';
import { Fault, jobEventsQuery, parseInput, podLogsQuery } from '@kiln/schemas';
import { cancelBuild } from '@kiln/services';
import { type Call, type Route } from '../http/dialect.ts';
import { podId, podUid, renderEvent, renderJob } from './render-job.ts';

/** Builds as DLC jobs: what PAI's users follow a build with. */
export function jobRoutes(deps: { db: Database; signals: SignalBus }): Route[] {
  const { db } = deps;
  const wanted = async ({ viewer, params }: Call): Promise<Build> => {
    const jobId = params['JobId'] ?? '';
    const build = await findBuild(db, viewer, { jobId });
    if (!build) throw new Fault('JobNotFound', `there is no job ${jobId}`);
    return build;
  };
  const checkPod = (build: Build, { params }: Call) => {
    if (params['PodId'] !== podId(build))
      throw new Fault(
        'JobNotFound',
        `job ${build.jobId} has no pod ${params['PodId'] ?? ''}; its pod is ${podId(build)}`,
      );
  };
  const events = async (call: Call): Promise<{ build: Build; events: string[] }> => {
    const build = await wanted(call);
    const query = parseInput(jobEventsQuery, call.query, 'query');
    const range = {
      limit: query.MaxEventsNum,
      ...(query.StartTime ? { since: query.StartTime } : {}),
      ...(query.EndTime ? { until: query.EndTime } : {}),
    };
    return { build, events: (await listEvents(db, build.id, range)).map(renderEvent) };
  };
  return [
    {
      operation: 'GetJob',
      method: 'GET',
      path: '/api/v1/jobs/:JobId',
      async handle(call) {
        const build = await wanted(call);
        return {
          body: { RequestId: call.requestId, ...renderJob(build, await listEvents(db, build.id, { limit: 1000 })) },
        };
      },
    },
    {
      operation: 'GetJobEvents',
      method: 'GET',
      path: '/api/v1/jobs/:JobId/events',
      async handle(call) {
        const found = await events(call);
        return { body: { RequestId: call.requestId, JobId: found.build.jobId, Events: found.events } };
      },
    },
    {
      operation: 'GetPodLogs',
      method: 'GET',
      path: '/api/v1/jobs/:JobId/pods/:PodId/logs',
      async handle(call) {
        const build = await wanted(call);
        checkPod(build, call);
        const query = parseInput(podLogsQuery, call.query, 'query');
        const logs = await podLogs(db, build, query);
        return {
          body: {
            RequestId: call.requestId,
            JobId: build.jobId,
            PodId: podId(build),
            PodUid: podUid(build),
            Logs: logs,
          },
        };
      },
    },
    {
      operation: 'StopJob',
      method: 'POST',
      path: '/api/v1/jobs/:JobId/stop',
      async handle(call) {
        const build = await wanted(call);
        await cancelBuild(deps, call.viewer, build);
        return { body: { RequestId: call.requestId, JobId: build.jobId } };
      },
    },
  ];
}

/** Lines between two times, the earliest first, so that a client goes on by moving StartTime forward. */
async function podLogs(
  db: Database,
  build: Build,
  query: { StartTime?: Date | undefined; EndTime?: Date | undefined; MaxLines: number },
): Promise<string[]> {
  const logs: string[] = [];
  for await (const lines of readLog(db, build.id, Math.max(1, build.attempt), 0)) {
    for (const { at, text } of lines) {
      if (query.StartTime && at < query.StartTime) continue;
      if (query.EndTime && at > query.EndTime) return logs;
      logs.push(`${at.toISOString().slice(0, 19).replace('T', ' ')} ${text}`);
      if (logs.length === query.MaxLines) return logs;
    }
  }
  return logs;
}
