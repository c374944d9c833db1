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
import { Fault, listBuildsQuery, parseInput } from '@kiln/schemas';
import { cancelBuild, submitBuild, type SubmitBuildDeps } from '@kiln/services';
import { type Call, type Route } from '../http/dialect.ts';
import { renderBuild, renderBuildSummary } from './render-build.ts';
import { sendBuildLog } from './send-log.ts';

export interface BuildRoutesDeps extends SubmitBuildDeps {
  db: Database;
  signals: SignalBus;
}

/** CreateImageBuild, and Kiln's own calls about builds in PAI's style. */
export function buildRoutes(deps: BuildRoutesDeps): Route[] {
  const { db } = deps;
  const wanted = async ({ viewer, params }: Call): Promise<Build> => {
    const id = params['ImageBuildId'] ?? '';
    const build = await findBuild(db, viewer, { id });
    if (!build) throw new Fault('BuildNotFound', `there is no build ${id}`);
    return build;
  };
  return [
    {
      operation: 'CreateImageBuild',
      method: 'POST',
      path: '/api/v1/imagebuilds',
      async handle({ viewer, query, body, requestId }) {
        const { buildId, jobId, replayed } = await submitBuild(deps, viewer, {
          body,
          clientToken: query['ClientToken'],
        });
        return {
          ...(replayed ? { headers: { 'idempotent-replayed': 'true' } } : {}),
          body: { RequestId: requestId, ImageBuildId: buildId, ImageBuildJobId: jobId },
        };
      },
    },
    {
      operation: 'ListImageBuilds',
      method: 'GET',
      path: '/api/v1/imagebuilds',
      async handle({ viewer, query, requestId }) {
        const { builds, nextCursor } = await listBuilds(db, viewer, parseInput(listBuildsQuery, query, 'query'));
        const next = nextCursor === undefined ? {} : { NextCursor: nextCursor };
        return { body: { RequestId: requestId, ImageBuilds: builds.map(renderBuildSummary), ...next } };
      },
    },
    {
      operation: 'GetImageBuild',
      method: 'GET',
      path: '/api/v1/imagebuilds/:ImageBuildId',
      async handle(call) {
        const build = await wanted(call);
        const [attempts, phases, events, image] = await Promise.all([
          listAttempts(db, build.id),
          listPhases(db, build.id),
          listEvents(db, build.id, { limit: 1000 }),
          build.imageId === null ? undefined : findImage(db, call.viewer, { id: build.imageId }),
        ]);
        return { body: { RequestId: call.requestId, ...renderBuild(build, { attempts, phases, events, image }) } };
      },
    },
    {
      operation: 'GetImageBuildLogs',
      method: 'GET',
      path: '/api/v1/imagebuilds/:ImageBuildId/logs',
      handle: async (call) => sendBuildLog(db, await wanted(call), call),
    },
    {
      operation: 'CancelImageBuild',
      method: 'POST',
      path: '/api/v1/imagebuilds/:ImageBuildId/cancel',
      async handle(call) {
        const build = await wanted(call);
        await cancelBuild(deps, call.viewer, build);
        const now = await wanted(call);
        return { body: { RequestId: call.requestId, ImageBuildId: build.id, State: now.state } };
      },
    },
  ];
}
