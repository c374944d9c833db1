import {
  cordonWorker,
  findAccount,
  forgetCache,
  type Database,
  type DefaultLimits,
  listQuarantined,
  listQueueBuilders,
  listWorkers,
  loadBuild,
  putAccountLimits,
  readLanes,
  readOutbox,
  readShares,
} from '@kiln/persistence';
import type { Producer } from '@kiln/queue';
import { accountOperations, consoleOperations } from '@kiln/contract';
import { Fault, type Platform, poolNames } from '@kiln/domain';
import { redriveBuild, type SubmitBuildDeps } from '@kiln/usecases';
import { type Route, route } from '../http/dialect.ts';
import { optional } from '../http/optional.ts';

export interface OperatorRoutesDeps extends Pick<SubmitBuildDeps, 'sealer'> {
  /** Sees all accounts: these calls are for those who run the installation. */
  systemDb: Database;
  producer: Producer;
  platform: Platform;
  limits: Pick<DefaultLimits, 'runningMax'>;
}

/** What those see who run the installation. */
export function operatorRoutes({ systemDb, producer, platform, limits, sealer }: OperatorRoutesDeps): Route[] {
  const pools = poolNames(platform.pools);
  return [
    route(accountOperations.PutAccountLimits, async ({ params, body, requestId }) => {
      const { AccountId } = params;
      const found = await findAccount(systemDb, AccountId);
      if (!found) throw new Fault('AccountNotFound', `there is no account ${AccountId}`);
      const { weight, runningMax, waitingMax, dailyMax, imagesMax } = await putAccountLimits(systemDb, found.id, {
        ...optional('weight', body.Weight),
        ...optional('runningMax', body.RunningMax),
        ...optional('waitingMax', body.WaitingMax),
        ...optional('dailyMax', body.DailyMax),
        ...optional('imagesMax', body.ImagesMax),
      });
      return {
        body: {
          RequestId: requestId,
          AccountId: found.id,
          Weight: weight,
          RunningMax: runningMax,
          WaitingMax: waitingMax,
          DailyMax: dailyMax,
          ImagesMax: imagesMax,
        },
      };
    }),
    route(consoleOperations.ListQueues, async ({ requestId }) => {
      const [lanes, accounts, outbox, queues, quarantined] = await Promise.all([
        readLanes(systemDb),
        readShares(systemDb, limits),
        readOutbox(systemDb),
        listQueueBuilders(systemDb)
          .then((builders) => producer.counts(pools, builders))
          .catch(() => undefined),
        listQuarantined(systemDb),
      ]);
      return {
        body: {
          RequestId: requestId,
          Lanes: lanes.map((it) => ({
            Pool: it.pool,
            Lane: it.lane,
            Waiting: it.waiting,
            OldestSeconds: it.oldestSeconds,
          })),
          Accounts: accounts.map((it) => ({
            AccountId: it.accountId,
            Account: it.account,
            Waiting: it.waiting,
            Running: it.running,
            Weight: it.weight,
            RunningMax: it.runningMax,
          })),
          Outbox: { Waiting: outbox.waiting, OldestMs: outbox.oldestMs },
          ...(queues ? { Queues: queues } : {}),
          Quarantine: quarantined.map((it) => ({
            ImageBuildId: it.id,
            Account: it.account,
            ImageName: it.imageName,
            GmtQuarantineTime: new Date(it.quarantinedAt).toISOString(),
            Attempts: it.attempts,
            Message: it.message ?? '',
          })),
        },
      };
    }),
    route(consoleOperations.RedriveImageBuild, async ({ params, requestId }) => {
      const build = await loadBuild(systemDb, params.ImageBuildId);
      if (!build) throw new Fault('BuildNotFound', `there is no build ${params.ImageBuildId}`);
      const { buildId } = await redriveBuild({ db: systemDb, sealer }, build);
      return { body: { RequestId: requestId, ImageBuildId: buildId } };
    }),
    route(consoleOperations.UpdateWorker, async ({ params, body, requestId }) => {
      if (!(await cordonWorker(systemDb, params.Name, body.Cordoned)))
        throw new Fault('WorkerNotFound', `there is no builder ${params.Name} just now`);
      return { body: { RequestId: requestId } };
    }),
    route(consoleOperations.RemoveCache, async ({ params, requestId }) => {
      if (!(await forgetCache(systemDb, params.Name, params.Account)))
        throw new Fault('WorkerNotFound', `there is no builder ${params.Name} just now`);
      return { body: { RequestId: requestId } };
    }),
    route(consoleOperations.ListWorkers, async ({ requestId }) => {
      const workers = await listWorkers(systemDb);
      return {
        body: {
          RequestId: requestId,
          Workers: workers.map(({ about, ...it }) => ({
            Name: it.name,
            App: it.app,
            Alive: it.alive,
            Draining: it.draining,
            Cordoned: it.cordoned,
            Slots: it.slots,
            Busy: it.builds,
            Pool: it.pool,
            GmtStartTime: new Date(it.startedAt).toISOString(),
            GmtSeenTime: new Date(it.seenAt).toISOString(),
            ...(about.engine === undefined ? {} : { Engine: `${about.engine} ${about.version ?? ''}`.trim() }),
            ...(about.jail === undefined ? {} : { Jail: about.jail }),
            ...(about.enforces === undefined ? {} : { Enforces: about.enforces }),
            ...(about.missing === undefined ? {} : { Missing: about.missing }),
            ...(about.disk === undefined
              ? {}
              : { DiskFreeBytes: about.disk.freeBytes, DiskTotalBytes: about.disk.totalBytes }),
            ...(about.rooms === undefined ? {} : { WarmRooms: about.rooms.warm, BusyRooms: about.rooms.busy }),
            ...(about.cacheBytes === undefined ? {} : { CacheBytes: about.cacheBytes }),
            ...(about.caches === undefined
              ? {}
              : {
                  Caches: about.caches.map(({ account, bytes, usedAt }) => ({
                    Account: account,
                    Bytes: bytes,
                    GmtUseTime: usedAt,
                  })),
                }),
          })),
        },
      };
    }),
  ];
}
