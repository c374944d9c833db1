import {
  type Database,
  deleteImage,
  findImage,
  type Image,
  type ImageSortKey,
  imageSortKeys,
  listModelArtsImages,
  type Viewer,
  workspacesOf,
} from '@kiln/persistence';
import { deleteImageBody, deleteImageQuery, Fault, listImageQuery, parseInput } from '@kiln/schemas';
import { registerImage, type RegisterImageDeps } from '@kiln/services';
import { type Call, type Route } from '../http/dialect.ts';
import { renderModelArtsImage } from './render-image.ts';

const sortKeys = (text: string): ImageSortKey[] =>
  text.split(',').map((it) => {
    const key = it.trim() as ImageSortKey;
    if (imageSortKeys.includes(key)) return key;
    throw new Fault(
      'InvalidParameter',
      `sort_key: cannot sort by ${JSON.stringify(it)}; one of ${imageSortKeys.join(', ')} is needed`,
      { field: 'sort_key' },
    );
  });

/** The catalogue as ModelArts shows it. */
export function modelArtsImageRoutes(deps: RegisterImageDeps & { db: Database }): Route[] {
  const { db } = deps;
  const path = '/v1/:project_id/images';
  const render = async (images: Image[]) => {
    const workspaces = await workspacesOf(db, [...new Set(images.map((it) => it.workspaceId))]);
    return images.map((it) => renderModelArtsImage(it, workspaces.get(it.workspaceId)));
  };
  const one = async (image: Image) => (await render([image]))[0] ?? {};
  const wanted = async ({ viewer, params }: Call): Promise<Image> => {
    const id = params['id'] ?? '';
    const image = await findImage(db, viewer, { id });
    if (image?.projectId !== params['project_id'] || !image)
      throw new Fault('ImageNotFound', `there is no image ${id}`);
    return image;
  };
  const workspaceId = async (viewer: Viewer, projectId: string, id: string): Promise<string> => {
    const workspace = await deps.directory.workspace(viewer, { id, projectId });
    if (!workspace)
      throw new Fault('WorkspaceNotFound', `workspace_id: there is no workspace ${id}`, { field: 'workspace_id' });
    return workspace.id;
  };
  return [
    {
      operation: 'RegisterImage',
      method: 'POST',
      path,
      async handle({ viewer, params, body }) {
        const image = await registerImage(deps, viewer, params['project_id'] ?? '', body);
        return { status: image.status === 'ACTIVE' ? 200 : 201, body: await one(image) };
      },
    },
    {
      operation: 'ListImage',
      method: 'GET',
      path,
      async handle({ viewer, params, query }) {
        const parsed = parseInput(listImageQuery, query, 'query');
        const projectId = params['project_id'] ?? '';
        const workspace = await workspaceId(viewer, projectId, parsed.workspace_id);
        const { images, total } = await listModelArtsImages(db, viewer, projectId, {
          ...parsed,
          sortKeys: sortKeys(parsed.sort_key),
          workspaceId: workspace,
        });
        return {
          body: {
            current: Math.floor(parsed.offset / parsed.limit) + 1,
            data: await render(images),
            pages: Math.ceil(total / parsed.limit),
            size: images.length,
            total,
          },
        };
      },
    },
    {
      operation: 'ShowImage',
      method: 'GET',
      path: `${path}/:id`,
      handle: async (call) => ({ body: await one(await wanted(call)) }),
    },
    {
      operation: 'DeleteImage',
      method: 'DELETE',
      path: `${path}/:id`,
      async handle(call) {
        const { is_force } = parseInput(deleteImageBody, call.body ?? {}, 'body');
        const { force } = parseInput(deleteImageQuery, call.query, 'query');
        if (is_force || force)
          throw new Fault(
            'InvalidParameter',
            'force: deleting the registry’s content is not supported; the entry alone can be deleted',
            { field: 'force' },
          );
        const image = await wanted(call);
        // PUBLIC lets others read, no more.
        if (call.viewer.role !== 'admin' && image.userId !== call.viewer.userId)
          throw new Fault('Forbidden', `image ${image.id} belongs to another user`);
        const deleted = await deleteImage(db, image.id);
        if (!deleted) throw new Fault('ImageNotFound', `there is no image ${image.id}`);
        return { body: await one(deleted) };
      },
    },
  ];
}
