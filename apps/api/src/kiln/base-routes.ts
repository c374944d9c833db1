import { baseOperations } from '@kiln/contract';
import { formatReference } from '@kiln/domain';
import { type ChainEntry, listBases, listDependents, listDrift } from '@kiln/persistence';
import { type Directory, requireOwner, requireWorkspace, showDrift } from '@kiln/usecases';
import { type Route, route } from '../http/dialect.ts';
import { optional } from '../http/optional.ts';
import { type ChangeImageDeps, syncImage } from '../usecases/change-image.ts';
import { requireImage } from '../usecases/require-image.ts';

const renderEntry = (it: ChainEntry) => ({
  ImageId: it.paiId,
  Name: it.name,
  ImageUri: formatReference(it),
  Digest: it.digest,
});

/** What images stand on, and what stands on them. */
export function baseRoutes(deps: ChangeImageDeps & { directory: Directory }): Route[] {
  const { db, directory } = deps;
  return [
    route(baseOperations.ListBases, async ({ viewer, params, requestId }) => {
      const bases = await listBases(db, viewer, await requireImage(db, viewer, params.ImageId));
      return {
        body: {
          RequestId: requestId,
          Bases: bases.map((it) => ({
            Name: it.name,
            Image: it.id,
            Platform: it.platform,
            Depth: it.depth,
            ...optional('Entry', it.entry && renderEntry(it.entry)),
            ...optional('Newer', it.newer && renderEntry(it.newer)),
            ...optional('LatestDigest', it.latestDigest),
          })),
          Stale: bases.some((it) => it.newer !== undefined || it.latestDigest !== undefined),
        },
      };
    }),
    route(baseOperations.ListDrift, async ({ viewer, query, requestId }) => {
      const { WorkspaceId, Kind, Limit } = query;
      if (WorkspaceId !== undefined) await requireWorkspace(directory, viewer, { id: WorkspaceId }, 'WorkspaceId');
      const { total, images } = await listDrift(db, viewer, { workspaceId: WorkspaceId, kind: Kind }, Limit ?? 100);
      return {
        body: {
          RequestId: requestId,
          TotalCount: total,
          Images: images.map((it) => ({
            ...renderEntry({ ...it, digest: it.digest ?? '' }),
            WorkspaceId: it.workspaceId,
            Status: it.status,
            ...optional('Drift', it.drift && showDrift(it.drift)),
            Stale: it.stale,
          })),
        },
      };
    }),
    route(baseOperations.VerifyImage, async ({ viewer, params, requestId }) => {
      const found = await requireImage(db, viewer, params.ImageId);
      requireOwner(viewer, found, `image ${params.ImageId}`, 'operator');
      const image = await syncImage(deps, found);
      return {
        body: { RequestId: requestId, ImageId: image.paiId, Status: image.status, StatusMessage: image.statusMessage },
      };
    }),
    route(baseOperations.ListDependents, async ({ viewer, params, query, requestId }) => {
      const image = await requireImage(db, viewer, params.ImageId);
      const { total, dependents } = await listDependents(db, viewer, image, query.Limit ?? 100);
      return {
        body: {
          RequestId: requestId,
          TotalCount: total,
          Dependents: dependents.map((it) => ({ ...renderEntry(it), Depth: it.depth })),
        },
      };
    }),
  ];
}
