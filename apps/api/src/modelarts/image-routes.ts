import {
  acrossAccounts,
  type Database,
  findImage,
  findPublicImage,
  type Image,
  listModelArtsImages,
  type RememberedLists,
  showImage,
  type ShownImage,
  workspacesOf,
} from '@kiln/persistence';
import { Fault } from '@kiln/domain';
import { modelArtsImageOperations as operations } from '@kiln/contract';
import type { Caller } from '../callers/caller.ts';
import { registerImage, type RegisterImageDeps } from '../usecases/register-image.ts';
import { removeImage, syncImage } from '../usecases/change-image.ts';
import { requireOwner } from '@kiln/usecases';
import { type Route, route } from '../http/dialect.ts';
import { pageOf } from './page.ts';
import { renderModelArtsImage } from './render-image.ts';
import { workspaceScope } from './scope.ts';

export interface ModelArtsRoutesDeps extends RegisterImageDeps {
  db: Database;
  lists: RememberedLists;
}

/** Whether the registry's content is to go, too, however it was said. */
export const isForced = (
  query: { force?: boolean | undefined; is_force?: boolean | undefined },
  body: { force?: boolean | undefined; is_force?: boolean | undefined } | undefined,
): boolean => [query.force, query.is_force, body?.force, body?.is_force].includes(true);

/** The catalogue as ModelArts shows it. */
export function modelArtsImageRoutes(deps: ModelArtsRoutesDeps): Route[] {
  const { db, directory, lists } = deps;
  const render = async (images: ShownImage[]) => {
    const workspaces = await workspacesOf(db, [...new Set(images.map((it) => it.workspaceId))]);
    return images.map((it) => renderModelArtsImage(it, workspaces.get(it.workspaceId)));
  };
  const one = async (image: Image) => {
    const [rendered] = await render([await showImage(db, image)]);
    if (!rendered) throw new Error(`image ${image.id} was not rendered`);
    return { ...rendered, support_res_categories: image.resourceCategories };
  };
  const notFound = (id: string) => new Fault('ImageNotFound', `there is no image ${id}`);
  const owned = async (viewer: Caller, projectId: string, id: string): Promise<Image> => {
    const image = await findImage(db, viewer, { id });
    if (image?.projectId !== projectId || !image) {
      // Who may read it may know that it is there.
      if (await acrossAccounts(() => findPublicImage(db, id))) throw new Fault('Forbidden', `image ${id} is not yours`);
      throw notFound(id);
    }
    requireOwner(viewer, image, `image ${id}`);
    return image;
  };
  return [
    route(operations.RegisterImage, async ({ viewer, params, body }) => {
      const image = await registerImage(deps, viewer, params.project_id, body);
      return { status: image.status === 'ACTIVE' ? 200 : 201, body: await one(image) };
    }),
    route(operations.ListImage, async ({ viewer, params, query }) => {
      const scope = await workspaceScope(directory, viewer, params.project_id, query.workspace_id);
      const { images, total } = await listModelArtsImages(db, lists, scope, query);
      return { body: pageOf(await render(images), total, query) };
    }),
    route(operations.ShowImage, async ({ viewer, params }) => {
      const image = await findImage(db, viewer, { id: params.id });
      // An image is of one project; only one that is public to all may be asked for from another.
      if (image && (image.projectId === params.project_id || image.publicById)) return { body: await one(image) };
      return acrossAccounts(async () => {
        const readable = await findPublicImage(db, params.id);
        if (!readable) throw notFound(params.id);
        return { body: await one(readable) };
      });
    }),
    route(operations.DeleteImage, async ({ viewer, params, query, body }) => {
      const image = await owned(viewer, params.project_id, params.id);
      return { body: await one(await removeImage(deps, image, params.id, isForced(query, body))) };
    }),
    route(operations.SyncImage, async ({ viewer, params }) => {
      const image = await owned(viewer, params.project_id, params.image_id);
      return { body: await one(await syncImage(deps, image)) };
    }),
  ];
}
