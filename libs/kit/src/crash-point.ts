/** Moments at which a crash is worth trying: `KILN_CRASH_AT` names one, and the process dies there. */
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

const chosen = process.env['KILN_CRASH_AT'];

/** Ends the process without a word when `KILN_CRASH_AT` names this point, as `kill -9` or a power cut would. */
export function crashPoint(name: CrashPoint): void {
  if (name === chosen) process.kill(process.pid, 'SIGKILL');
}
