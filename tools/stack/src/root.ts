import { join } from 'node:path';

/** Folder of the workspace. */
export const root = join(import.meta.dirname, '../../..');
