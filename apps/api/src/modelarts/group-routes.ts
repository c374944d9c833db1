import {
  deleteImageGroup,
  findImageGroup,
  imagesOfGroup,
  inScope,
  listImageGroups,
  type SeenGroup,
  summariseGroups,
  updateImageGroup,
} from '@kiln/persistence';
import { Fault, splitRepository } from '@kiln/domain';
import { modelArtsImageOperations as operations } from '@kiln/contract';
import type { Caller } from '../callers/caller.ts';
import { mayChange, requireOwner } from '@kiln/usecases';
import { type Route, route } from '../http/dialect.ts';
import { isForced, type ModelArtsRoutesDeps } from './image-routes.ts';
import { pageOf } from './page.ts';
import { workspaceScope } from './scope.ts';

const renderGroup = (group: SeenGroup) => ({
  id: group.id,
  ...splitRepository(group.repository),
  create_at: group.firstAt.getTime(),
  update_at: Math.max(group.lastAt.getTime(), group.updatedAt.getTime()),
  version_count: group.versions,
  description: group.description,
  read_me: group.readMe,
  tags: group.tags,
  ...(group.registryConnectionId === null ? {} : { swr_instance_id: group.registryConnectionId }),
});

/** Repositories and their versions, as ModelArts groups images. */
export function modelArtsGroupRoutes({ db, directory, lists, relay }: ModelArtsRoutesDeps): Route[] {
  const seen = async (viewer: Caller, { project_id, id }: { project_id: string; id: string }): Promise<SeenGroup> => {
    const group = await findImageGroup(db, viewer, project_id, id);
    const [found] = group
      ? await summariseGroups(db, [group.id], inScope({ viewer, workspaceIds: [group.workspaceId] }))
      : [];
    if (!found) throw new Fault('ImageGroupNotFound', `there is no image group ${id}`);
    return found;
  };
  return [
    route(operations.ListImageGroup, async ({ viewer, params, query }) => {
      const scope = await workspaceScope(directory, viewer, params.project_id, query.workspace_id);
      const { groups, total } = await listImageGroups(db, lists, scope, query);
      return { body: { ...pageOf(groups.map(renderGroup), total, query), is_swr_enterprise: false } };
    }),
    route(operations.UpdateImageGroup, async ({ viewer, params, body }) => {
      const group = await seen(viewer, params);
      const members = await imagesOfGroup(db, group.id);
      // Its read-me is everybody's who has an image in it.
      if (!members.some((it) => mayChange(viewer, it)))
        throw new Fault('Forbidden', `no image of group ${group.id} is yours`);
      await updateImageGroup(db, group.id, body);
      return { body: renderGroup(await seen(viewer, params)) };
    }),
    route(operations.DeleteImageGroup, async ({ viewer, params, query, body }) => {
      const group = await seen(viewer, params);
      const members = await imagesOfGroup(db, group.id);
      for (const it of members) requireOwner(viewer, it, `image ${it.id}`);
      await deleteImageGroup(db, group.id, members, isForced(query, body));
      relay.wake();
      return { body: { ...renderGroup(group), version_count: 0 } };
    }),
  ];
}
