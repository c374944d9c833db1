import {
  changeLabels,
  type Database,
  type Image,
  listImageLabels,
  listPaiImages,
  publishImage,
  type RememberedLists,
  showImage,
} from '@kiln/persistence';
import { paiImageOperations } from '@kiln/contract';
import { addImage, type RegisterImageDeps } from '../usecases/register-image.ts';
import type { Caller } from '../callers/caller.ts';
import { type Directory, requireOwner } from '@kiln/usecases';
import { removeImage } from '../usecases/change-image.ts';
import { type Route, route } from '../http/dialect.ts';
import { renderPaiImage } from './render-image.ts';
import { scopeOf } from './scope.ts';
import { readLabels, renderLabels } from './labels.ts';
import { requireImage } from '../usecases/require-image.ts';

export interface PaiImageRoutesDeps extends RegisterImageDeps {
  db: Database;
  directory: Directory;
  lists: RememberedLists;
}

/** The catalogue as PAI's AIWorkSpace shows it. */
export function paiImageRoutes(deps: PaiImageRoutesDeps): Route[] {
  const { db, directory, lists } = deps;
  const wanted = (viewer: Caller, paiId: string): Promise<Image> => requireImage(db, viewer, paiId);
  const owned = async (viewer: Caller, paiId: string): Promise<Image> => {
    const image = await wanted(viewer, paiId);
    requireOwner(viewer, image, `image ${paiId}`);
    return image;
  };
  return [
    route(paiImageOperations.AddImage, async ({ viewer, body, requestId }) => {
      const image = await addImage(deps, viewer, body);
      return { body: { RequestId: requestId, ImageId: image.paiId } };
    }),
    route(paiImageOperations.ListImages, async ({ viewer, query, requestId }) => {
      const scope = await scopeOf(directory, viewer, query.WorkspaceId);
      const { images, total } = await listPaiImages(db, lists, scope, query);
      const items = images.map((it) => renderPaiImage(it, query.Verbose));
      return { body: { RequestId: requestId, TotalCount: total, Images: items } };
    }),
    route(paiImageOperations.GetImage, async ({ viewer, params, query, requestId }) => {
      const image = await wanted(viewer, params.ImageId);
      return { body: { RequestId: requestId, ...renderPaiImage(await showImage(db, image), query.Verbose) } };
    }),
    route(paiImageOperations.RemoveImage, async ({ viewer, params, requestId }) => {
      const image = await owned(viewer, params.ImageId);
      await removeImage(deps, image, params.ImageId, false);
      return { body: { RequestId: requestId } };
    }),
    route(paiImageOperations.PublishImage, async ({ viewer, params, requestId }) => {
      const image = await owned(viewer, params.ImageId);
      await publishImage(db, image.id);
      return { body: { RequestId: requestId, ImageId: image.paiId } };
    }),
    route(paiImageOperations.AddImageLabels, async ({ viewer, params, body, requestId }) => {
      const image = await owned(viewer, params.ImageId);
      await changeLabels(db, image.id, { put: readLabels(body.Labels), remove: [] });
      return { body: { RequestId: requestId } };
    }),
    route(paiImageOperations.RemoveImageLabels, async ({ viewer, params, requestId }) => {
      const image = await owned(viewer, params.ImageId);
      await changeLabels(db, image.id, { put: [], remove: [params.LabelKey] });
      return { body: { RequestId: requestId } };
    }),
    route(paiImageOperations.ListImageLabels, async ({ viewer, query, requestId }) => {
      if (query.ImageId !== undefined) await wanted(viewer, query.ImageId);
      const scope = await scopeOf(directory, viewer, query.WorkspaceId);
      const labels = await listImageLabels(db, lists, scope, query);
      return { body: { RequestId: requestId, TotalCount: labels.length, Labels: renderLabels(labels) } };
    }),
  ];
}
