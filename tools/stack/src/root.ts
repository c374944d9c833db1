import { homedir } from 'node:os';
import { join } from 'node:path';

/** Folder of the workspace. */
export const root = join(import.meta.dirname, '../../..');

/** Where systems made of Debian's packages are kept: once for all clones of a machine. */
export const cacheDir =
  process.getuid?.() === 0
    ? '/var/cache/kiln'
    : join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'kiln');
