import { renameSync } from 'node:fs';
import { join } from 'node:path';

/** Moments at which a crash is worth trying. */
export const crashPoints = [
  // Any app
  'relay-sent',
  // api
  'submission-committed',
  // registrar
  'dispatch-chosen',
  'dispatch-committed',
  'builds-taken-away',
  'registration-fetched',
  'registration-claimed',
  'image-verified',
  'tag-committed',
  'tag-set',
  'catalogue-written',
  'webhook-sent',
  // builder
  'build-fetched',
  'build-claimed',
  'step-running',
  'log-written',
  'image-built',
  'push-begun',
  'image-pushed',
  'handed-over',
  'drain-begun',
] as const;
export type CrashPoint = (typeof crashPoints)[number];

const folder = process.env['KILN_CRASH_DIR'];

/**
 * Ends the process without a word, as `kill -9` or a power cut would, when the folder `KILN_CRASH_DIR` holds a file of
 * this name. The first process that comes by adds its id to the file's name (`tag-set` becomes `tag-set.1234`). For the
 * fault suite; without the setting it does nothing.
 */
export function crashPoint(name: CrashPoint): void {
  if (folder === undefined) return;
  try {
    renameSync(join(folder, name), join(folder, `${name}.${process.pid}`));
  } catch {
    return;
  }
  process.kill(process.pid, 'SIGKILL');
}
