import { randomUUID } from 'node:crypto';
import { newPaiImageId, randomSuffix } from '@kiln/kit';
import {
  type Database,
  type Image,
  insertImage,
  type NewImage,
  updateImageGroup,
  type Viewer,
} from '@kiln/persistence';
import type { CheckRegistryHost } from '@kiln/registry';
import type { AddImageBody, RegisterImageBody } from '@kiln/contract';
import {
  Fault,
  fieldFault,
  formatReference,
  type Label,
  parseReference,
  type Reference,
  splitRepository,
} from '@kiln/domain';
import { readLabels } from '../pai/labels.ts';
import { awaitImage, type AwaitImageDeps } from './await-image.ts';
import { type Directory, requireConnection, requireWorkspace, type Quotas } from '@kiln/usecases';
import type { Relay } from '@kiln/worker';

export interface RegisterImageDeps extends AwaitImageDeps {
  db: Database;
  directory: Directory;
  relay: Relay;
  quotas: Quotas;
  checkRegistryHost: CheckRegistryHost;
  /** How long an answer waits for the verification's outcome. */
  waitMs: number;
}

/** A name by PAI's rule for an image that came without one: from its repository and tag. */
export function nameFor({ repository, tag }: Reference): string {
  const plain = `${splitRepository(repository).name}-${tag}`
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^[^a-z]+|-+$/g, '');
  return plain.slice(0, 50).replace(/-+$/, '') || 'image';
}

// A name that is taken gets a few random letters; so many tries are never needed.
const nameTries = 4;

/** `key=value` or `key`, as ModelArts writes tags, as a label; of a key that comes twice, the last one counts. */
const labelsOfTags = (tags: string[]): Label[] => [
  ...new Map(
    tags.map((it) => {
      const equals = it.indexOf('=');
      const key = equals < 0 ? it : it.slice(0, equals);
      return [key, { key, value: equals < 0 ? '' : it.slice(equals + 1) }];
    }),
  ).values(),
];

/** The image as it is after its verification, or while that goes on. */
function outcomeOf(image: Image): Image {
  if (image.status === 'CREATE_FAILED' && image.error)
    throw new Fault(image.error.code, `${image.error.message} (image ${image.id})`);
  return image;
}

/**
 * ModelArts' RegisterImage: accepts an image of some registry for the catalogue and waits, bounded, for what its
 * verification finds.
 * @returns the image, ACTIVE or still being looked at
 * @throws Fault that names the field, or that tells why the image will not do; it stays readable as CREATE_FAILED
 */
export async function registerImage(
  deps: RegisterImageDeps,
  viewer: Viewer,
  projectId: string,
  body: RegisterImageBody,
): Promise<Image> {
  const reference = parseReference(body.swr_path, 'swr_path');
  const workspace = await requireWorkspace(
    deps.directory,
    viewer,
    { id: body.workspace_id, projectId },
    'workspace_id',
  );
  if (body.swr_instance_id !== undefined)
    await requireConnection(deps.directory, viewer.accountId, body.swr_instance_id, reference, {
      connection: 'swr_instance_id',
      reference: 'swr_path',
    });
  await deps.checkRegistryHost(reference.host, 'swr_path');
  await deps.quotas.admitImage(viewer.accountId);
  const image: NewImage = {
    id: randomUUID(),
    paiId: newPaiImageId(),
    accountId: viewer.accountId,
    userId: viewer.userId,
    projectId,
    workspaceId: workspace.id,
    ...reference,
    name: nameFor(reference),
    description: body.description,
    visibility: body.visibility === 'PUBLIC' ? 'PUBLIC' : 'PRIVATE',
    publicById: body.visibility === 'PUBLIC',
    hidden: body.visibility === 'HIDDEN',
    arch: body.arch,
    origin: body.origin,
    resourceCategories: body.resource_category,
    serviceType: body.service_type,
    services: body.services,
    flavorType: body.flavor_type ?? null,
    sourceType: 'Import',
    sourceId: null,
    via: 'modelarts',
    registryConnectionId: body.swr_instance_id ?? null,
    labels: labelsOfTags(body.tags),
  };
  const outcome = outcomeOf(await awaitImage(deps, image.id, deps.waitMs, () => insertWithFreeName(deps, image)));
  if (body.read_me !== undefined && outcome.groupId !== null)
    await updateImageGroup(deps.db, outcome.groupId, { read_me: body.read_me });
  return outcome;
}

async function insertWithFreeName({ db, relay }: RegisterImageDeps, image: NewImage): Promise<void> {
  for (let attempt = 0; attempt < nameTries; attempt += 1) {
    const name = attempt === 0 ? image.name : `${image.name.slice(0, 43)}-${randomSuffix(6)}`;
    const inserted = await insertImage(db, { ...image, name });
    if (inserted === 'registered')
      throw new Fault('ImageAlreadyRegistered', `swr_path: ${formatReference(image)} is registered already`, {
        field: 'swr_path',
      });
    if (inserted === 'accepted') return relay.wake();
  }
  throw new Fault('ImageNameDuplicated', `swr_path: no free name like ${image.name} was found`);
}

// The clouds' own clients give up after three seconds.
const addWaitMs = 2000;

/**
 * PAI's AddImage: the same for an image that has a name, and whose reference may repeat.
 * @returns the image, ACTIVE or still being looked at
 * @throws Fault that names the field, or that tells why the image will not do
 */
export async function addImage(deps: RegisterImageDeps, viewer: Viewer, body: AddImageBody): Promise<Image> {
  const begunAt = performance.now();
  const reference = parseReference(body.ImageUri, 'ImageUri');
  const workspace =
    body.WorkspaceId === undefined
      ? await deps.directory.defaultWorkspace(viewer)
      : await requireWorkspace(deps.directory, viewer, { id: body.WorkspaceId }, 'WorkspaceId');
  if (!workspace) throw fieldFault('WorkspaceNotFound', 'WorkspaceId', 'there is no workspace of yours');
  await deps.checkRegistryHost(reference.host, 'ImageUri');
  await deps.quotas.admitImage(viewer.accountId);
  const image: NewImage = {
    id: randomUUID(),
    paiId: body.ImageId ?? newPaiImageId(),
    accountId: viewer.accountId,
    userId: viewer.userId,
    projectId: workspace.projectId,
    workspaceId: workspace.id,
    ...reference,
    name: body.Name,
    description: body.Description,
    visibility: body.Accessibility,
    publicById: false,
    hidden: false,
    // PAI has no word for it; what the registry holds tells.
    arch: 'X86_64',
    origin: 'CUSTOMIZE',
    resourceCategories: ['CPU', 'GPU'],
    serviceType: 'UNKNOWN',
    services: ['NOTEBOOK', 'SSH'],
    flavorType: null,
    sourceType: body.SourceType ?? 'Import',
    sourceId: body.SourceId ?? null,
    via: 'pai',
    registryConnectionId: null,
    labels: readLabels(body.Labels),
  };
  const insert = async () => {
    const inserted = await insertImage(deps.db, image);
    if (inserted === 'id-taken') throw fieldFault('ImageIdDuplicated', 'ImageId', `${image.paiId} is in use`);
    if (inserted !== 'accepted')
      throw fieldFault(
        'ImageNameDuplicated',
        'Name',
        `an image or a running build of workspace ${workspace.id} is called ${image.name}`,
      );
    deps.relay.wake();
  };
  const leftMs = Math.max(0, addWaitMs - (performance.now() - begunAt));
  return outcomeOf(await awaitImage(deps, image.id, Math.min(deps.waitMs, leftMs), insert));
}
