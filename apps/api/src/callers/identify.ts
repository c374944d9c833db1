import type { SignedRequest } from '@kiln/auth';
import { asFault } from '@kiln/domain';
import type { Caller } from './caller.ts';
import type { LastUsed } from './last-used.ts';
import type { Request } from 'express';
import type { Dialect } from '../http/dialect.ts';
import type { Throttle } from './throttle.ts';

/** The access key that a request says that it is signed with. */
const keyIdOf = ({ headers }: SignedRequest): string | undefined =>
  /(?:Credential|Access)=([\w-]{1,128})|^acs ([\w-]{1,128}):/
    .exec(headers['authorization'] ?? '')
    ?.slice(1)
    .find(Boolean);

/** Lets somebody come before it is known who it is. @throws Fault Throttling */
export const admit = (throttle: Throttle, req: Request, request: SignedRequest): Promise<void> =>
  throttle.admit(req.ip ?? '', keyIdOf(request));

/**
 * Tells who sent a request, in one dialect; who guesses has to wait.
 * @throws Fault of the dialect, Throttling
 */
export async function identify(
  { throttle, lastUsed }: { throttle: Throttle; lastUsed: LastUsed },
  dialect: Pick<Dialect, 'authenticate'>,
  req: Request,
  request: SignedRequest,
): Promise<Caller> {
  await admit(throttle, req, request);
  try {
    const caller = await dialect.authenticate(request);
    await throttle.pass(caller);
    lastUsed.note(caller.credential);
    return caller;
  } catch (error) {
    await throttle.failed(req.ip ?? '', keyIdOf(request), asFault(error).code);
    throw error;
  }
}
