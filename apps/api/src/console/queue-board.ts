import { createBullBoard } from '@bull-board/api';
import { ExpressAdapter } from '@bull-board/express';
import { type BoardQueues } from '@kiln/queue';
import { asFault, Fault, isAtLeast } from '@kiln/schemas';
import { type AuthenticateDeps, authenticatePai, type Caller } from '@kiln/services';
import { type Request, type RequestHandler, Router } from 'express';
import { signedRequest } from '../http/read-request.ts';

const path = '/admin/queues';

// Its page names a font from elsewhere, which it does well without.
const policy =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; connect-src 'self'; base-uri 'self'; form-action 'none'; frame-ancestors 'none'";

function openBoard(queues: BoardQueues, readOnly: boolean): RequestHandler | undefined {
  const adapters = queues.adapters({ readOnly });
  if (!adapters) return undefined;
  const server = new ExpressAdapter();
  server.setBasePath(path);
  createBullBoard({
    queues: adapters,
    serverAdapter: server,
    options: { uiConfig: { boardTitle: 'Kiln: jobs in Redis' } },
  });
  return server.getRouter() as RequestHandler;
}

/** The board's own page asks for changes without our token: that it is ours, the browser says itself. */
function requireOwnPage(req: Request): void {
  const isSafe = req.method === 'GET' || req.method === 'HEAD';
  if (!isSafe && req.headers['sec-fetch-site'] !== 'same-origin')
    throw new Fault('Forbidden', 'only the board’s own page may change something here');
}

/** @throws Fault when the caller does not run the installation */
async function identify(deps: AuthenticateDeps, req: Request): Promise<Caller> {
  requireOwnPage(req);
  const caller = await authenticatePai(deps, { ...signedRequest(req), method: 'GET' });
  if (!caller.operates || !isAtLeast(caller.role, 'operator') || caller.credential?.scopes)
    throw new Fault('Forbidden', 'the jobs in Redis are for operators of accounts that run the installation');
  return caller;
}

/** Jobs in Redis at `/admin/queues`: to be looked at by operators, and to be changed by admins, of accounts that run the installation. */
export function queueBoard(deps: AuthenticateDeps & { boardQueues: BoardQueues }): Router {
  const router = Router();
  const boards = new Map<boolean, RequestHandler>();
  const boardFor = (readOnly: boolean): RequestHandler | undefined => {
    const board = boards.get(readOnly) ?? openBoard(deps.boardQueues, readOnly);
    if (board) boards.set(readOnly, board);
    return board;
  };
  router.use(path, (req, res, next) => {
    identify(deps, req).then(
      ({ role }) => {
        const board = boardFor(role !== 'admin');
        if (!board) return void res.status(503).type('text/plain').send('Redis cannot be reached; try again\n');
        res.set('content-security-policy', policy);
        return board(req, res, next);
      },
      (error: unknown) => {
        const fault = asFault(error);
        if (fault.code === 'Forbidden') return void res.status(403).type('text/plain').send(`${fault.message}\n`);
        if (req.accepts('html')) return void res.redirect('/');
        res.status(401).type('text/plain').send('sign in first\n');
      },
    );
  });
  return router;
}
