import { type Database, listQueueBuilders } from '@kiln/persistence';
import type { BoardQueues } from '@kiln/queue';
import { asFault, Fault, isAtLeast } from '@kiln/domain';
import type { AuditTrail } from '../callers/audit-trail.ts';
import type { Caller } from '../callers/caller.ts';
import type { AuthenticateDeps } from '../callers/authenticate.ts';
import type { LastUsed } from '../callers/last-used.ts';
import { type Request, type RequestHandler, type Response, Router } from 'express';
import { identify } from '../callers/identify.ts';
import { signedRequest } from '../http/read-request.ts';
import type { Throttle } from '../callers/throttle.ts';
import { paiDialect } from '../pai/dialect.ts';

const boardPath = '/admin/queues';

// Its page names a font from elsewhere, which it does well without.
const policy =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; connect-src 'self'; base-uri 'self'; form-action 'none'; frame-ancestors 'none'";

const isSafe = ({ method }: Request): boolean => method === 'GET' || method === 'HEAD';

/** The board's own page asks for changes without our token: that it is ours, the browser says itself. */
function requireOwnPage(req: Request): void {
  if (!isSafe(req) && req.headers['sec-fetch-site'] !== 'same-origin')
    throw new Fault('Forbidden', 'only the board’s own page may change something here');
}

/** @throws Fault when the caller does not run the installation */
async function identifyOperator(deps: QueueBoardDeps, req: Request): Promise<Caller> {
  requireOwnPage(req);
  // It has no method that matters: what its own page asks for was looked at just now.
  const caller = await identify(deps, paiDialect(deps), req, { ...signedRequest(req), method: 'GET' });
  if (!caller.operates || !isAtLeast(caller.role, 'operator') || caller.credential?.scopes)
    throw new Fault('Forbidden', 'the jobs in the queues are for operators of accounts that run the installation');
  return caller;
}

export interface QueueBoardDeps extends AuthenticateDeps {
  systemDb: Database;
  boardQueues: BoardQueues;
  throttle: Throttle;
  lastUsed: LastUsed;
  audit: AuditTrail;
}

/**
 * Jobs in the queues at `/admin/queues`: to be looked at by operators, and to be changed by admins, of accounts that run
 * the installation.
 */
export function queueBoard(deps: QueueBoardDeps): Router {
  const router = Router();
  // Made anew when builders come and go.
  const boards = new Map<boolean, { builders: string; board: RequestHandler }>();
  const boardFor = async (readOnly: boolean): Promise<RequestHandler | undefined> => {
    const builders = await listQueueBuilders(deps.systemDb);
    const names = JSON.stringify(builders);
    const known = boards.get(readOnly);
    if (known?.builders === names) return known.board;
    // Not loaded before somebody looks.
    const { openBoard } = await import('./open-board.ts');
    const board = openBoard(deps.boardQueues, boardPath, readOnly, builders);
    if (board) boards.set(readOnly, { builders: names, board });
    return board;
  };
  const refuse = (req: Request, res: Response, error: unknown): void => {
    const { code, message } = asFault(error);
    const say = (status: number, text: string) => void res.status(status).type('text/plain').send(`${text}\n`);
    if (code === 'Forbidden') return say(403, message);
    if (code === 'Throttling') return say(429, message);
    if (code === 'InternalError') return say(503, 'Kiln cannot find out who asks; try again');
    if (req.accepts('html')) return res.redirect('/');
    say(401, 'sign in first');
  };
  const record = (req: Request, res: Response, caller: Caller): void =>
    void res.on('finish', () =>
      deps.audit.record({
        accountId: caller.accountId,
        actor: caller.userId,
        action: 'ChangeQueues',
        target: `${req.method} ${req.originalUrl}`.slice(0, 512),
        outcome: res.statusCode < 400 ? 'ok' : String(res.statusCode),
        details: { address: req.ip ?? '' },
      }),
    );
  router.use(boardPath, (req, res, next) => {
    identifyOperator(deps, req).then(
      async (caller) => {
        const board = await boardFor(caller.role !== 'admin').catch(() => undefined);
        if (!board) return void res.status(503).type('text/plain').send('the queues cannot be reached; try again\n');
        if (!isSafe(req)) record(req, res, caller);
        res.set('content-security-policy', policy);
        return board(req, res, next);
      },
      (error: unknown) => refuse(req, res, error),
    );
  });
  return router;
}
