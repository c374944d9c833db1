import {
  type Build,
  type Database,
  findBuild,
  findImage,
  findPreviousBuild,
  listAttempts,
  listBuilds,
  listEvents,
  listPhases,
  listRepeats,
  listSteps,
} from '@kiln/persistence';
import type { SignalBus } from '@kiln/queue';
import { buildOperations } from '@kiln/contract';
import { Fault } from '@kiln/domain';
import type { Caller } from '../callers/caller.ts';
import { cancelBuild } from '../usecases/cancel-build.ts';
import type { LogFeed } from '../live/log-feed.ts';
import { rerunBuild, retryBuild, submitBuild, type SubmitBuildDeps, type Submitted } from '@kiln/usecases';
import type { PendingQueue } from '../usecases/place-in-line.ts';
import { type Route, route } from '../http/dialect.ts';
import { readBuildRequest, readRerun } from './build-request.ts';
import { type BuildCourse, compareBuilds } from './compare-builds.ts';
import { renderBuild, renderBuildSummary } from './render-build.ts';
import { scopeOf } from './scope.ts';
import { sendBuildLog } from '../live/send-log.ts';

export interface BuildRoutesDeps extends SubmitBuildDeps {
  db: Database;
  signals: SignalBus;
  pendingQueue: PendingQueue;
  logFeed: LogFeed;
}

/** CreateImageBuild, and Kiln's own calls about builds in PAI's style. */
export function buildRoutes(deps: BuildRoutesDeps): Route[] {
  const { db, directory, pendingQueue } = deps;
  const wanted = async (viewer: Caller, id: string): Promise<Build> => {
    const build = await findBuild(db, viewer, { id });
    if (!build) throw new Fault('BuildNotFound', `there is no build ${id}`);
    return build;
  };
  const courseOf = async (build: Build): Promise<BuildCourse> => {
    const [phases, steps] = await Promise.all([listPhases(db, build.id), listSteps(db, build.id)]);
    return { build, phases, steps };
  };
  const answer = ({ buildId, jobId, replayed }: Submitted, requestId: string) => ({
    ...(replayed ? { headers: { 'idempotent-replayed': 'true' } } : {}),
    body: { RequestId: requestId, ImageBuildId: buildId, ImageBuildJobId: jobId },
  });
  return [
    route(buildOperations.CreateImageBuild, async ({ viewer, query, body, requestId }) => {
      const { request, ...auths } = readBuildRequest(body);
      const how = { ...auths, clientToken: query.ClientToken, lane: query.Lane };
      return answer(await submitBuild(deps, viewer, request, how), requestId);
    }),
    route(buildOperations.ListImageBuilds, async ({ viewer, query, requestId }) => {
      const { builds, nextCursor } = await listBuilds(db, await scopeOf(directory, viewer, query.WorkspaceId), query);
      const next = nextCursor === undefined ? {} : { NextCursor: nextCursor };
      return { body: { RequestId: requestId, ImageBuilds: builds.map(renderBuildSummary), ...next } };
    }),
    route(buildOperations.GetImageBuild, async ({ viewer, params, requestId }) => {
      const build = await wanted(viewer, params.ImageBuildId);
      const [attempts, phases, steps, events, image, place, repeatedBy] = await Promise.all([
        listAttempts(db, build.id),
        listPhases(db, build.id),
        listSteps(db, build.id),
        listEvents(db, build.id, { limit: 1000 }),
        build.imageId === null ? undefined : findImage(db, viewer, { id: build.imageId }),
        pendingQueue.placeOf(build),
        listRepeats(db, build.id),
      ]);
      const parts = { attempts, phases, steps, events, image, place, repeatedBy };
      return { body: { RequestId: requestId, ...renderBuild(build, parts) } };
    }),
    route(buildOperations.GetImageBuildLogs, async ({ viewer, params, query, headers, res }) =>
      sendBuildLog(deps, await wanted(viewer, params.ImageBuildId), { query, headers, res }),
    ),
    route(buildOperations.CompareImageBuild, async ({ viewer, params, requestId }) => {
      const build = await wanted(viewer, params.ImageBuildId);
      const previous = await findPreviousBuild(db, viewer, build);
      const [now, before] = await Promise.all([courseOf(build), previous && courseOf(previous)]);
      return { body: { RequestId: requestId, ...compareBuilds(now, before) } };
    }),
    route(buildOperations.CancelImageBuild, async ({ viewer, params, requestId }) => {
      const build = await wanted(viewer, params.ImageBuildId);
      await cancelBuild(deps, viewer, build);
      const now = await wanted(viewer, build.id);
      return { body: { RequestId: requestId, ImageBuildId: build.id, State: now.state } };
    }),
    route(buildOperations.RetryImageBuild, async ({ viewer, params, query, requestId }) => {
      const build = await wanted(viewer, params.ImageBuildId);
      const how = { clientToken: query.ClientToken, lane: query.Lane };
      return answer(await retryBuild(deps, viewer, build, how), requestId);
    }),
    route(buildOperations.RerunImageBuild, async ({ viewer, params, query, body, requestId }) => {
      const build = await wanted(viewer, params.ImageBuildId);
      const how = { clientToken: query.ClientToken, lane: query.Lane };
      return answer(await rerunBuild(deps, viewer, build, readRerun(body), how), requestId);
    }),
  ];
}
