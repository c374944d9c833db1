import { randomUUID } from 'node:crypto';
import { newPaiImageId, randomSuffix } from '@kiln/kit';
import { type Database, type Image, insertImage, loadImage, type Viewer } from '@kiln/persistence';
import { type Relay, type SignalBus } from '@kiln/queue';
import {
  Fault,
  formatReference,
  parseInput,
  parseReference,
  type Reference,
  registerImageBody,
  splitRepository,
} from '@kiln/schemas';
import { type Directory } from './directory.ts';

export interface RegisterImageDeps {
  db: Database;
  directory: Directory;
  relay: Relay;
  signals: SignalBus;
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
  input: unknown,
): Promise<Image> {
  const body = parseInput(registerImageBody, input, 'body');
  const reference = parseReference(body.swr_path, 'swr_path');
  const workspace = await deps.directory.workspace(viewer, { id: body.workspace_id, projectId });
  if (!workspace)
    throw new Fault('WorkspaceNotFound', `workspace_id: there is no workspace ${body.workspace_id}`, {
      field: 'workspace_id',
    });

  const id = randomUUID();
  const outcome = awaitOutcome(deps, id);
  try {
    await insert(deps.db, { id, viewer, projectId, workspaceId: workspace.id, body, reference });
    deps.relay.nudge();
    const image = await outcome.settled();
    if (image.status === 'CREATE_FAILED' && image.error) {
      throw new Fault(image.error.code as Fault['code'], `${image.error.message} (image ${image.id})`);
    }
    return image;
  } finally {
    outcome.stop();
  }
}

async function insert(
  db: Database,
  to: {
    id: string;
    viewer: Viewer;
    projectId: string;
    workspaceId: string;
    body: ReturnType<typeof registerImageBody.parse>;
    reference: Reference;
  },
): Promise<void> {
  const { body, reference } = to;
  const plain = nameFor(reference);
  for (let attempt = 0; attempt < nameTries; attempt += 1) {
    const inserted = await insertImage(db, {
      id: to.id,
      paiId: newPaiImageId(),
      accountId: to.viewer.accountId,
      userId: to.viewer.userId,
      projectId: to.projectId,
      workspaceId: to.workspaceId,
      ...reference,
      name: attempt === 0 ? plain : `${plain.slice(0, 43)}-${randomSuffix(6)}`,
      description: body.description,
      visibility: body.visibility,
      arch: body.arch,
      origin: body.origin,
      resourceCategories: body.resource_category,
      serviceType: body.service_type,
      services: body.services,
      flavorType: body.flavor_type ?? null,
    });
    if (inserted === 'registered')
      throw new Fault('ImageAlreadyRegistered', `swr_path: ${formatReference(reference)} is registered already`, {
        field: 'swr_path',
      });
    if (inserted === 'accepted') return;
  }
  throw new Fault('ImageNameDuplicated', `swr_path: no free name like ${plain} was found`);
}

/** Listens for an image's outcome from before it is written, so that none is missed. */
function awaitOutcome({ db, signals, waitMs }: RegisterImageDeps, id: string) {
  let wake: () => void = () => undefined;
  let told = false;
  const stop = signals.on('registered', id, () => {
    told = true;
    wake();
  });
  const settled = async (): Promise<Image> => {
    const deadline = Date.now() + waitMs;
    for (;;) {
      const left = deadline - Date.now();
      if (!told && left > 0) {
        await new Promise<void>((resolve) => {
          // Signals can be lost; looking twice a second keeps the wait useful without them.
          const timer = setTimeout(resolve, Math.min(left, 500));
          wake = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      }
      told = false;
      const image = await loadImage(db, id);
      if (!image) throw new Fault('ImageNotFound', `there is no image ${id}`);
      const undecided = image.status === 'INIT' || image.status === 'CREATING';
      if (!undecided || deadline - Date.now() <= 0) return image;
    }
  };
  return { settled, stop };
}
