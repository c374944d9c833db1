import {
  type Build,
  type Database,
  findBuild,
  hideJob,
  listEvents,
  listJobs,
  type RememberedLists,
  showBuild,
  workspacesOf,
} from '@kiln/persistence';
import type { SignalBus } from '@kiln/queue';
import { Fault, fieldFault } from '@kiln/domain';
import { jobOperations } from '@kiln/contract';
import type { Caller } from '../callers/caller.ts';
import { cancelBuild } from '../usecases/cancel-build.ts';
import { type Directory, requireOwner } from '@kiln/usecases';
import type { PendingQueue } from '../usecases/place-in-line.ts';
import { type Route, route } from '../http/dialect.ts';
import { readPodLogs } from './pod-logs.ts';
import { jobDetail, podId, podUid, renderEvent, renderJob } from './render-job.ts';
import { scopeOf } from './scope.ts';

export interface JobRoutesDeps {
  db: Database;
  directory: Directory;
  signals: SignalBus;
  lists: RememberedLists;
  pendingQueue: PendingQueue;
}

interface Range {
  StartTime?: Date | undefined;
  EndTime?: Date | undefined;
  MaxEventsNum: number;
}

/** Builds as DLC jobs: what PAI's users follow a build with. */
export function jobRoutes(deps: JobRoutesDeps): Route[] {
  const { db, directory, lists } = deps;
  const wanted = async (viewer: Caller, jobId: string): Promise<Build> => {
    const build = await findBuild(db, viewer, { jobId });
    if (!build) throw new Fault('JobNotFound', `there is no job ${jobId}`);
    return build;
  };
  const wantedPod = async (viewer: Caller, jobId: string, pod: string, uid: string | undefined) => {
    const build = await wanted(viewer, jobId);
    const ids = { JobId: build.jobId, PodId: podId(build.jobId), PodUid: podUid(build.jobId) };
    if (pod !== ids.PodId) throw new Fault('JobNotFound', `job ${jobId} has no pod ${pod}; its pod is ${ids.PodId}`);
    if (uid !== undefined && uid !== ids.PodUid)
      throw fieldFault('JobNotFound', 'PodUid', `pod ${pod} is ${ids.PodUid}`);
    return { build, ids };
  };
  const events = async (build: Build, { StartTime, EndTime, MaxEventsNum }: Range): Promise<string[]> => {
    const range = { ...(StartTime ? { since: StartTime } : {}), ...(EndTime ? { until: EndTime } : {}) };
    return (await listEvents(db, build.id, { ...range, limit: MaxEventsNum })).map(renderEvent);
  };
  const nameOf = async (build: Build): Promise<string> =>
    (await workspacesOf(db, [build.workspaceId])).get(build.workspaceId)?.name ?? '';
  return [
    route(jobOperations.ListJobs, async ({ viewer, query, requestId }) => {
      const scope = await scopeOf(directory, viewer, query.WorkspaceId);
      const { jobs, total } = await listJobs(db, lists, scope, query);
      const workspaces = await workspacesOf(db, [...new Set(jobs.map((it) => it.workspaceId))]);
      const items = jobs.map((it) => renderJob(it, workspaces.get(it.workspaceId)?.name ?? ''));
      return { body: { RequestId: requestId, TotalCount: total, Jobs: items } };
    }),
    route(jobOperations.GetJob, async ({ viewer, params, query, requestId }) => {
      const build = await wanted(viewer, params.JobId);
      const [name, happened, place] = await Promise.all([
        nameOf(build),
        listEvents(db, build.id, { limit: 1000 }),
        deps.pendingQueue.placeOf(build),
      ]);
      const job = showBuild(build);
      const detail = query.NeedDetail ? jobDetail(job, happened) : {};
      return { body: { RequestId: requestId, ...renderJob(job, name, happened, place), ...detail } };
    }),
    route(jobOperations.GetJobEvents, async ({ viewer, params, query, requestId }) => {
      const build = await wanted(viewer, params.JobId);
      return { body: { RequestId: requestId, JobId: build.jobId, Events: await events(build, query) } };
    }),
    route(jobOperations.GetPodLogs, async ({ viewer, params, query, requestId }) => {
      const { build, ids } = await wantedPod(viewer, params.JobId, params.PodId, query.PodUid);
      return { body: { RequestId: requestId, ...ids, Logs: await readPodLogs(db, build, query) } };
    }),
    route(jobOperations.GetPodEvents, async ({ viewer, params, query, requestId }) => {
      const { build, ids } = await wantedPod(viewer, params.JobId, params.PodId, query.PodUid);
      return { body: { RequestId: requestId, ...ids, Events: await events(build, query) } };
    }),
    route(jobOperations.StopJob, async ({ viewer, params, requestId }) => {
      const build = await wanted(viewer, params.JobId);
      await cancelBuild(deps, viewer, build);
      return { body: { RequestId: requestId, JobId: build.jobId } };
    }),
    route(jobOperations.DeleteJob, async ({ viewer, params, requestId }) => {
      const build = await wanted(viewer, params.JobId);
      requireOwner(viewer, build, `build ${build.id}`, 'operator');
      if (!(await hideJob(db, build.id)))
        throw new Fault('JobNotFinished', `job ${build.jobId} is not finished; stop it first`);
      return { body: { RequestId: requestId, JobId: build.jobId } };
    }),
  ];
}
