import { deleteImage, type Image, requestSync } from '@kiln/persistence';
import { Fault } from '@kiln/domain';
import { awaitImage, type AwaitImageDeps } from './await-image.ts';
import type { Relay } from '@kiln/worker';

export interface ChangeImageDeps extends AwaitImageDeps {
  relay: Relay;
  /** How long an answer waits for the registry's part. */
  waitMs: number;
}

const gone = (shownId: string) => new Fault('ImageNotFound', `there is no image ${shownId}`);

/**
 * Takes an image out of the catalogue, and with `purge` its manifest out of its registry, for which it waits, bounded.
 */
export async function removeImage(
  deps: ChangeImageDeps,
  { id }: Image,
  shownId: string,
  purge: boolean,
): Promise<Image> {
  const remove = async () => {
    const removed = await deleteImage(deps.db, id, purge);
    if (!removed) throw gone(shownId);
    if (purge) deps.relay.wake();
    return removed;
  };
  return purge ? awaitImage(deps, id, deps.waitMs, remove) : remove();
}

/**
 * ModelArts' SyncImage: has a registrar look at the image again, and waits, bounded, for what it finds. One that was
 * refused stays so: its name and path may be another's by now.
 */
export async function syncImage(deps: ChangeImageDeps, image: Image): Promise<Image> {
  if (image.status === 'CREATE_FAILED') return image;
  return awaitImage(deps, image.id, deps.waitMs, async () => {
    if (!(await requestSync(deps.db, image.id))) throw gone(image.id);
    deps.relay.wake();
  });
}
