import { type Database, findImage, labelsOf, listPaiImages } from '@kiln/persistence';
import { Fault, getImageQuery, listImagesQuery, parseInput } from '@kiln/schemas';
import { type Directory } from '@kiln/services';
import { type Route } from '../http/dialect.ts';
import { renderPaiImage } from './render-image.ts';

/** The catalogue as PAI's AIWorkSpace shows it. */
export function paiImageRoutes({ db, directory }: { db: Database; directory: Directory }): Route[] {
  return [
    {
      operation: 'ListImages',
      method: 'GET',
      path: '/api/v1/images',
      async handle({ viewer, query, requestId }) {
        const wanted = parseInput(listImagesQuery, query, 'query');
        const workspace =
          wanted.WorkspaceId === undefined ? undefined : await directory.workspace(viewer, { id: wanted.WorkspaceId });
        if (wanted.WorkspaceId !== undefined && !workspace) {
          throw new Fault('WorkspaceNotFound', `WorkspaceId: there is no workspace ${wanted.WorkspaceId}`, {
            field: 'WorkspaceId',
          });
        }
        const { images, total } = await listPaiImages(db, viewer, { ...wanted, WorkspaceId: workspace?.id });
        const labels = wanted.Verbose
          ? await labelsOf(
              db,
              images.map((it) => it.id),
            )
          : undefined;
        const items = images.map((it) => renderPaiImage(it, labels && (labels.get(it.id) ?? [])));
        return { body: { RequestId: requestId, TotalCount: total, Images: items } };
      },
    },
    {
      operation: 'GetImage',
      method: 'GET',
      path: '/api/v1/images/:ImageId',
      async handle({ viewer, params, query, requestId }) {
        const { Verbose } = parseInput(getImageQuery, query, 'query');
        const paiId = params['ImageId'] ?? '';
        const image = await findImage(db, viewer, { paiId });
        if (!image) throw new Fault('ImageNotFound', `there is no image ${paiId}`);
        const labels = Verbose ? ((await labelsOf(db, [image.id])).get(image.id) ?? []) : undefined;
        return { body: { RequestId: requestId, ...renderPaiImage(image, labels) } };
      },
    },
  ];
}
