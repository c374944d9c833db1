import {
  type Build,
  type Database,
  findBuild,
  findImage,
  listAttempts,
  listBuilds,
  listEvents,
  listPhases,
} from '@kiln/persistence';
import { type SignalBus } from '@kiln/queue';
import { buildOperations, Fault } from '@kiln/schemas';
import { type Caller, cancelBuild, submitBuild, type SubmitBuildDeps } from '@kiln/services';
import { type Route, route } from '../http/dialect.ts';
import { renderBuild, renderBuildSummary } from './render-build.ts';
import { scopeOf } from './scope.ts';
import { sendBuildLog } from './send-log.ts';

export interface BuildRoutesDeps extends SubmitBuildDeps {
  db: Database;
  signals: SignalBus;
}

/** CreateImageBuild, and Kiln's own calls about builds in PAI's style. */
export function buildRoutes(deps: BuildRoutesDeps): Route[] {
  const { db, directory } = deps;
  const wanted = async (viewer: Caller, id: string): Promise<Build> => {
    const build = await findBuild(db, viewer, { id });
    if (!build) throw new Fault('BuildNotFound', `there is no build ${id}`);
    return build;
  };
  return [
    route(buildOperations.CreateImageBuild, async ({ viewer, query, body, requestId }) => {
      const { buildId, jobId, replayed } = await submitBuild(deps, viewer, body, query.ClientToken);
      return {
        ...(replayed ? { headers: { 'idempotent-replayed': 'true' } } : {}),
        body: { RequestId: requestId, ImageBuildId: buildId, ImageBuildJobId: jobId },
      };
    }),
    route(buildOperations.ListImageBuilds, async ({ viewer, query, requestId }) => {
      const { builds, nextCursor } = await listBuilds(db, await scopeOf(directory, viewer, query.WorkspaceId), query);
      const next = nextCursor === undefined ? {} : { NextCursor: nextCursor };
      return { body: { RequestId: requestId, ImageBuilds: builds.map(renderBuildSummary), ...next } };
    }),
    route(buildOperations.GetImageBuild, async ({ viewer, params, requestId }) => {
      const build = await wanted(viewer, params.ImageBuildId);
      const [attempts, phases, events, image] = await Promise.all([
        listAttempts(db, build.id),
        listPhases(db, build.id),
        listEvents(db, build.id, { limit: 1000 }),
        build.imageId === null ? undefined : findImage(db, viewer, { id: build.imageId }),
      ]);
      return { body: { RequestId: requestId, ...renderBuild(build, { attempts, phases, events, image }) } };
    }),
    route(buildOperations.GetImageBuildLogs, async ({ viewer, params, query, headers, res }) =>
      sendBuildLog(db, await wanted(viewer, params.ImageBuildId), { query, headers, res }),
    ),
    route(buildOperations.CancelImageBuild, async ({ viewer, params, requestId }) => {
      const build = await wanted(viewer, params.ImageBuildId);
      await cancelBuild(deps, viewer, build);
      const now = await wanted(viewer, build.id);
      return { body: { RequestId: requestId, ImageBuildId: build.id, State: now.state } };
    }),
  ];
}
