import { setTimeout as sleep } from 'node:timers/promises';
import { finished } from 'node:stream/promises';
import { inSpan, type Logger, metrics, newRequestId } from '@kiln/kit';
import { actingFor, isDatabaseDown } from '@kiln/persistence';
import { asFault, errorClass, Fault, isAtLeast, scopeOfOperation } from '@kiln/domain';
import type { Operation } from '@kiln/contract';
import type { AuditTrail } from '../callers/audit-trail.ts';
import type { Caller } from '../callers/caller.ts';
import type { LastUsed } from '../callers/last-used.ts';
import express, {
  type ErrorRequestHandler,
  type Request,
  type RequestHandler,
  type Response,
  type Router,
} from 'express';
import type { Dialect, Route } from './dialect.ts';
import { admit, identify } from '../callers/identify.ts';
import { bodyBytesMax, checkUploadType, parseCall, signedRequest } from './read-request.ts';
import { answerLate } from './unreadable.ts';
import type { Throttle } from '../callers/throttle.ts';

/** What Express and Node say of a request that never reached a route. */
function fromHttp(error: unknown): Fault {
  const { status, type } = error as { status?: number; type?: string };
  if (type === 'entity.too.large' || status === 413)
    return new Fault('BodyTooLarge', `the body has more than ${bodyBytesMax} bytes`);
  if (status === 415) return new Fault('UnsupportedMediaType', 'the content encoding is not supported');
  if (status === 400) return new Fault('InvalidParameter', 'the request cannot be read');
  if (isDatabaseDown(error))
    return new Fault('ServiceUnavailable', 'the database cannot be reached', { retryAfterMs: 2000 }, error);
  return asFault(error);
}

export interface ServeDeps {
  throttle: Throttle;
  lastUsed: LastUsed;
  audit: AuditTrail;
  log: Logger;
}

/** A client that sends its request drop by drop holds a connection for this long at most, in milliseconds. */
const wholeBodyMs = 30_000;

/** How long a sender may go on that will hear a refusal, in milliseconds: most read no answer before they have sent all. */
const refusedMs = 10_000;

async function letEnd(req: Request): Promise<void> {
  if (req.complete || req.destroyed) return;
  // Who read it before may be about to let go of it; while he listens, it does not flow.
  req.removeAllListeners('readable');
  req.resume();
  await Promise.race([finished(req).catch(() => undefined), sleep(refusedMs, undefined, { ref: false })]);
}

// Whoever asks for a token is nobody yet.
const nobody: Caller = {
  accountId: '',
  userId: '',
  role: 'viewer',
  operates: false,
  onlyProjectId: null,
  credential: null,
};

const reads = ({ method }: Operation): boolean => method === 'GET' || method === 'HEAD';

/** Counts, times and logs an answer. One that a client follows lasts as long as the client likes. */
function measure(res: Response, operation: Operation, log: Logger): void {
  const startedAt = performance.now();
  res.on('close', () => {
    const status = res.headersSent ? String(res.statusCode) : 'aborted';
    metrics.requests.inc({ operation: operation.name, status });
    const ms = Math.round(performance.now() - startedAt);
    const requestId = String(res.locals['requestId']);
    // What only reads comes too often to be of use to anybody.
    const level = reads(operation) ? 'debug' : 'info';
    log[level]({ requestId, operation: operation.name, status, ms }, 'answered');
    if (!res.locals['followed']) metrics.requestSeconds.observe({ operation: operation.name }, ms / 1000);
  });
}

/** @throws Fault Forbidden that names the role or the scope that is missing */
function requireRight({ role, operates, credential }: Caller, operation: Operation): void {
  if (operation.free) return;
  if (operation.operates && !operates)
    throw new Fault('Forbidden', `${operation.name} is for accounts that run the installation (admin operates)`);
  if (operation.role) {
    if (!isAtLeast(role, operation.role))
      throw new Fault('Forbidden', `${operation.name} needs the role ${operation.role}, and the user is a ${role}`);
    if (credential?.scopes)
      throw new Fault('Forbidden', `the ${credential.kind} is narrowed, and ${operation.name} needs one that is not`);
    return;
  }
  const scope = scopeOfOperation(operation);
  if (role === 'viewer' && scope.endsWith(':write'))
    throw new Fault('Forbidden', `${operation.name} changes something, and the user is a viewer`);
  if (credential?.scopes && !credential.scopes.includes(scope))
    throw new Fault('Forbidden', `the ${credential.kind} is not good for ${scope}, which ${operation.name} needs`);
}

/**
 * What changes something begins a trace, or goes on with the client's; what is only read comes too often to be of use.
 */
const traced = <T>(
  operation: Operation,
  { requestId, headers }: { requestId: string; headers: Record<string, string | undefined> },
  work: () => Promise<T>,
): Promise<T> =>
  reads(operation)
    ? work()
    : inSpan(operation.name, { 'kiln.request.id': requestId, 'http.request.method': operation.method }, work, {
        kind: 'server',
        parent: headers['traceparent'],
      });

const expressPath = (path: string): string => path.replace(/\{(\w+)\}/g, ':$1');

/**
 * Serves the routes of one dialect. Whatever happens below here is answered in that dialect, as JSON, with a request
 * id.
 */
export function serveDialect(dialect: Dialect, routes: Route[], { throttle, lastUsed, audit, log }: ServeDeps): Router {
  const router = express.Router({ caseSensitive: true });

  const answer = (res: Response, error: unknown) => {
    const fault = fromHttp(error);
    const requestId = String(res.locals['requestId']);
    const serverSide = errorClass(fault.code) === 'infra';
    log[serverSide ? 'error' : 'debug'](
      { requestId, code: fault.code, err: serverSide ? (fault.cause ?? fault) : undefined },
      fault.message,
    );
    if (res.headersSent) return void res.destroy();
    const { status, headers, body } = dialect.renderError(fault, requestId, String(res.req.headers.host ?? ''));
    if (headers) res.set(headers);
    // A body that was not read whole would be taken for the connection's next request.
    if (!res.req.complete) res.set('connection', 'close');
    res.status(status).json(body);
  };

  router.use((_req, res, next) => {
    const requestId = newRequestId();
    res.locals['requestId'] = requestId;
    res.set(dialect.requestIdHeader, requestId);
    next();
  });
  const uploads = routes.flatMap(({ operation: { method, path, upload } }) =>
    upload ? [{ method, path: new RegExp(`^${path.replace(/\{\w+\}/g, '[^/]+')}$`) }] : [],
  );
  const readWhole = express.raw({ type: () => true, limit: bodyBytesMax, inflate: false });
  router.use((req, res, next) => {
    // Their routes read what comes, once it is known who sends it.
    if (uploads.some((it) => it.method === req.method && it.path.test(req.path))) return next();
    const late = setTimeout(() => answerLate(req), wholeBodyMs);
    readWhole(req, res, (error: unknown) => {
      clearTimeout(late);
      next(error);
    });
  });

  const note = (
    req: Request,
    res: Response,
    operation: Operation,
    viewer: Caller,
    outcome: string,
    body: Record<string, unknown> = {},
  ): void =>
    audit.record({
      accountId: viewer.accountId || null,
      actor: viewer.userId || 'stranger',
      action: operation.name,
      target: req.path.slice(0, 512),
      outcome,
      details: {
        requestId: String(res.locals['requestId']),
        address: req.ip ?? '',
        ...(viewer.credential ? { [viewer.credential.kind]: viewer.credential.id } : {}),
        ...(operation.makes && operation.makes in body ? { made: body[operation.makes] } : {}),
      },
    });

  const call =
    ({ operation, handle }: Route): RequestHandler =>
    async (req: Request, res: Response) => {
      measure(res, operation, log);
      let viewer: Caller | undefined;
      try {
        const request = signedRequest(req);
        if (operation.upload && !/^Bearer\s/i.test(request.headers['authorization'] ?? 'Bearer '))
          throw new Fault('IncompleteSignature', 'an upload is read as it comes, and not signed: send a bearer token');
        if (operation.anonymous) await admit(throttle, req, request);
        viewer = operation.anonymous ? nobody : await identify({ throttle, lastUsed }, dialect, req, request);
        if (!operation.anonymous) requireRight(viewer, operation);
        dialect.checkOperation(operation, request.headers);
        if (operation.upload) checkUploadType(operation.upload, request.headers['content-type']);
        const parsed = parseCall(operation, {
          params: req.params as Record<string, string>,
          query: req.query,
          body: request.body,
          contentType: request.headers['content-type'],
        });
        const requestId = String(res.locals['requestId']);
        const it = { viewer, requestId, headers: request.headers, res, ...parsed };
        const { accountId } = viewer;
        const answered = await traced(operation, it, () => actingFor(accountId, () => handle(it)));
        if (answered?.caller) lastUsed.note(answered.caller.credential);
        if (!reads(operation)) note(req, res, operation, answered?.caller ?? viewer, 'ok', answered?.body);
        if (!answered) return;
        if (answered.headers) res.set(answered.headers);
        res.status(answered.status ?? operation.statuses[0]).json(answered.body);
      } catch (error) {
        // Whoever asks for a token guesses here.
        const { code } = fromHttp(error);
        if (operation.anonymous) await throttle.failed(req.ip ?? '', undefined, code);
        // What strangers send is not worth a record each; what callers may not do, or could not, is.
        if (viewer && !operation.anonymous && (!reads(operation) || code === 'Forbidden'))
          note(req, res, operation, viewer, code);
        if (operation.upload) await letEnd(req);
        answer(res, error);
      }
    };

  for (const it of routes) {
    const { method, path } = it.operation;
    router[method.toLowerCase() as 'get'](expressPath(path), call(it));
  }
  for (const path of new Set(routes.map((it) => it.operation.path))) {
    const allowed = routes.filter((it) => it.operation.path === path).map((it) => it.operation.method);
    router.all(expressPath(path), (req, res) => {
      res.set('allow', allowed.join(', '));
      answer(
        res,
        new Fault(
          'MethodNotAllowed',
          `${req.method} is not a method of ${req.baseUrl}${req.path}; ${allowed.join(', ')} may be`,
        ),
      );
    });
  }
  router.use((req, res) =>
    answer(res, new Fault('RouteNotFound', `there is no ${req.method} ${req.baseUrl}${req.path}`)),
  );
  const onError: ErrorRequestHandler = (error, _req, res, _next) => answer(res, error);
  router.use(onError);
  return router;
}
