import { Fault } from '@kiln/domain';
import { type Database, findImage, type Image, type Viewer } from '@kiln/persistence';

/** The image that a path names by PAI's id. @throws Fault ImageNotFound */
export async function requireImage(db: Database, viewer: Viewer, paiId: string): Promise<Image> {
  const image = await findImage(db, viewer, { paiId });
  if (!image) throw new Fault('ImageNotFound', `there is no image ${paiId}`);
  return image;
}
