import type { Request } from 'express';

/** How long an upload may stand still, in milliseconds. */
const idleMs = 30_000;

/** A large body, as it comes. Whoever reads no further has something to say, for which the connection is needed. */
export function uploadOf(req: Request): AsyncIterable<Buffer> {
  req.setTimeout(idleMs, () => req.destroy(new Error('the upload stood still')));
  return req.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>;
}
