import { resolve } from 'node:path';
import { openFolderStore } from './folder-store.ts';
import type { ContextStore } from './store.ts';

/**
 * Opens the store that an installation's settings name.
 * @returns undefined where they name none
 * @throws Error for settings that contradict each other, and for a bucket that cannot be used
 */
export async function openContextStore(settings: {
  KILN_CONTEXT_DIR?: string | undefined;
  KILN_CONTEXT_BUCKET?: string | undefined;
  KILN_CONTEXT_ENDPOINT?: string | undefined;
}): Promise<ContextStore | undefined> {
  const { KILN_CONTEXT_DIR: dir, KILN_CONTEXT_BUCKET: place, KILN_CONTEXT_ENDPOINT: endpoint } = settings;
  if (dir && place)
    throw new Error('KILN_CONTEXT_DIR and KILN_CONTEXT_BUCKET are both set: contexts are kept in one place');
  if (dir) return openFolderStore(resolve(dir));
  if (!place) return undefined;
  // Only where it is used: it takes a while to load.
  const { openBucketStore } = await import('./bucket-store.ts');
  return openBucketStore({ place, endpoint });
}
