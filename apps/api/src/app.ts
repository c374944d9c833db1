import type { Platform, Profile } from '@kiln/domain';
import type { Logger } from '@kiln/kit';
import type { Database, DefaultLimits, RememberedLists } from '@kiln/persistence';
import type { BoardQueues, Producer, SignalBus } from '@kiln/queue';
import type { AuditTrail } from './callers/audit-trail.ts';
import type { AuthenticateDeps } from './callers/authenticate.ts';
import type { Directory, Quotas, SubmitBuildDeps, WebhookDeps } from '@kiln/usecases';
import type { EventFeed } from './live/event-feed.ts';
import type { LastUsed } from './callers/last-used.ts';
import type { LogFeed } from './live/log-feed.ts';
import type { RegisterImageDeps } from './usecases/register-image.ts';
import type { Relay } from '@kiln/worker';
import type { ContextDeps } from '@kiln/usecases';
import type { PendingQueue } from './usecases/place-in-line.ts';
import express, { type Express } from 'express';
import helmet from 'helmet';
import { dialectOf } from './http/dialect.ts';
import { serveDialect } from './http/serve-dialect.ts';
import type { Throttle } from './callers/throttle.ts';
import { modelArtsDialect } from './modelarts/dialect.ts';
import { modelArtsGroupRoutes } from './modelarts/group-routes.ts';
import { modelArtsImageRoutes } from './modelarts/image-routes.ts';
import { projectRoutes } from './modelarts/project-routes.ts';
import { tokenRoutes } from './modelarts/token-routes.ts';
import { openApiRoutes } from './openapi/routes.ts';
import { healthRoutes } from './ops/health-routes.ts';
import { attestationRoutes } from './kiln/attestation-routes.ts';
import { baseRoutes } from './kiln/base-routes.ts';
import { campaignRoutes, type CampaignRoutesDeps } from './kiln/campaign-routes.ts';
import { retentionRoutes } from './kiln/retention-routes.ts';
import { connectionRoutes } from './kiln/connection-routes.ts';
import { inspectionRoutes } from './kiln/inspection-routes.ts';
import { policyRoutes } from './kiln/policy-routes.ts';
import { uploadRoutes, type UploadDeps } from './kiln/upload-routes.ts';
import { contextRoutes } from './kiln/context-routes.ts';
import { eventRoutes } from './kiln/event-routes.ts';
import { webhookRoutes } from './kiln/webhook-routes.ts';
import { identityRoutes } from './kiln/identity-routes.ts';
import { operatorRoutes } from './kiln/operator-routes.ts';
import { overviewRoutes } from './kiln/overview-routes.ts';
import type { RegistryClients } from '@kiln/registry';
import { queueBoard } from './ops/queue-board.ts';
import { serveConsole } from './ops/serve-console.ts';
import { sessionRoutes } from './kiln/session-routes.ts';
import { buildRoutes } from './pai/build-routes.ts';
import { paiDialect } from './pai/dialect.ts';
import { paiImageRoutes } from './pai/image-routes.ts';
import { jobRoutes } from './pai/job-routes.ts';

export interface AppDeps extends AuthenticateDeps {
  /** Sees the rows of the caller's account. */
  db: Database;
  /** Sees those of all. */
  systemDb: Database;
  directory: Directory;
  producer: Producer;
  relay: Relay;
  signals: SignalBus;
  boardQueues: BoardQueues;
  lists: RememberedLists;
  throttle: Throttle;
  lastUsed: LastUsed;
  audit: AuditTrail;
  /** Addresses of proxies whose word on where a request comes from is taken. */
  trustedProxies: readonly string[];
  pendingQueue: PendingQueue;
  quotas: Quotas;
  logFeed: LogFeed;
  eventFeed: EventFeed;
  /** Where webhooks may be sent. */
  webhookRules: WebhookDeps['rules'];
  contexts: ContextDeps['contexts'];
  profiles: readonly Profile[];
  uploads: UploadDeps['uploads'];
  contextRules: ContextDeps['contextRules'];
  sources: SubmitBuildDeps['sources'];
  /** For trying connections. */
  registries: RegistryClients;
  platform: Platform;
  packageRules: SubmitBuildDeps['packageRules'];
  /** How long a client token stands for what it was used for first. */
  clientTokenHours: number;
  checkRegistryHost: RegisterImageDeps['checkRegistryHost'];
  /** What holds for accounts without limits of their own. */
  limits: DefaultLimits;
  /** Is woken when a campaign is to go on. */
  campaigns: CampaignRoutesDeps['campaigns'];
  /** How long RegisterImage and its like wait for a registrar. */
  waitMs: number;
  log: Logger;
}

/** The whole HTTP surface. Paths under `/v1/` and `/v3/` speak ModelArts, all others PAI; errors keep to that too. */
export function createApp(deps: AppDeps): Express {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.set('trust proxy', deps.trustedProxies);
  // For browsers that are led here: answers are data, nothing more.
  app.use(
    helmet({
      contentSecurityPolicy: {
        useDefaults: false,
        directives: { defaultSrc: ["'none'"], baseUri: ["'none'"], formAction: ["'none'"], frameAncestors: ["'none'"] },
      },
      xFrameOptions: { action: 'deny' },
    }),
  );
  // Before what follows: pages may be kept.
  app.use(openApiRoutes());
  app.use(serveConsole());
  app.use(queueBoard(deps));
  app.use((_req, res, next) => {
    res.set('cache-control', 'no-store');
    next();
  });
  // Nested parameters are in neither cloud's API; the plain parser keeps a query flat.
  app.set('query parser', 'simple');
  app.use(healthRoutes(deps));
  // Groups before images: `images/group` is no image's id.
  const modelArts = serveDialect(
    modelArtsDialect(deps),
    [...modelArtsGroupRoutes(deps), ...modelArtsImageRoutes(deps), ...tokenRoutes(deps), ...projectRoutes(deps)],
    deps,
  );
  app.use((req, res, next) => (dialectOf(req.path) === 'modelarts' ? modelArts(req, res, next) : next()));
  const pai = [...buildRoutes(deps), ...jobRoutes(deps), ...paiImageRoutes(deps)];
  const console = [
    ...sessionRoutes(deps),
    ...inspectionRoutes(deps),
    ...policyRoutes(deps),
    ...baseRoutes(deps),
    ...retentionRoutes(deps),
    ...campaignRoutes(deps),
    ...attestationRoutes(deps),
    ...uploadRoutes(deps),
    ...contextRoutes(deps),
    ...overviewRoutes(deps),
    ...operatorRoutes(deps),
  ];
  const events = [...eventRoutes(deps), ...webhookRoutes(deps)];
  const settings = [...identityRoutes(deps), ...connectionRoutes(deps)];
  app.use(serveDialect(paiDialect(deps), [...pai, ...console, ...events, ...settings], deps));
  return app;
}
