import { closeSync, existsSync, lstatSync, openSync, realpathSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Fault } from '@kiln/domain';

/** A folder with a whole Linux system in which BuildKit runs. */
export interface EngineRoot {
  path: string;
  /** What serves BuildKit there: its own daemon, or Docker's. */
  daemon: 'buildkitd' | 'dockerd';
  /** The daemon's file, as it is seen inside. */
  program: string;
}

const folders = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];

/**
 * Finds the daemon in an engine root; BuildKit's own comes first.
 * @throws Fault EngineFailed that says what is missing
 */
export function readEngineRoot(folder: string): EngineRoot {
  // Runtimes take no link for a root.
  const path = existsSync(folder) ? realpathSync(folder) : folder;
  for (const daemon of ['buildkitd', 'dockerd'] as const) {
    const place = folders.find((it) => existsSync(join(path, it, daemon)));
    if (place === undefined) continue;
    showResolvers(path);
    return { path, daemon, program: `${place}/${daemon}` };
  }
  throw new Fault('EngineFailed', `there is no buildkitd and no dockerd in ${path} (KILN_ENGINE_ROOT)`);
}

/** The file that a room's own is shown over; in images it is often missing, in systems a link to what runs there. */
function showResolvers(path: string): void {
  const file = join(path, 'etc/resolv.conf');
  const found = lstatSync(file, { throwIfNoEntry: false });
  if (found?.isFile()) return;
  if (found) rmSync(file);
  closeSync(openSync(file, 'w', 0o644));
}
