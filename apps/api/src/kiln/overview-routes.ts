import {
  type Database,
  type Image,
  listAudit,
  listOwnKeys,
  listRegistryConnections,
  listVersions,
  readBuilds,
  readPastSlots,
  readSlots,
  showImage,
} from '@kiln/persistence';
import { consoleOperations } from '@kiln/contract';
import { formatReference, offeredClasses, type Platform, poolsFor } from '@kiln/domain';
import { openTtlCache } from '@kiln/usecases';
import { lintDockerfile } from '../usecases/lint-dockerfile.ts';
import { type Route, route } from '../http/dialect.ts';
import { optional } from '../http/optional.ts';
import { renderPaiImage } from '../pai/render-image.ts';
import { requireImage } from '../usecases/require-image.ts';
import { renderRetiring } from './render-retiring.ts';

const versionsMax = 50;

/** What every user of an account sees beside builds and images. */
export function overviewRoutes({
  db,
  systemDb,
  platform,
}: {
  db: Database;
  systemDb: Database;
  platform: Platform;
}): Route[] {
  // Every open console asks again and again.
  const remember = openTtlCache({ max: 1000, ttl: 3000 });
  return [
    route(consoleOperations.GetOverview, async ({ viewer, query, requestId }) => {
      const [seen, pools, past] = await Promise.all([
        remember(`${viewer.userId} ${query.Hours}`, () => readBuilds(db, viewer, query.Hours)),
        remember('slots', () => readSlots(systemDb)),
        remember(`past slots ${query.Hours}`, () => readPastSlots(systemDb, query.Hours)),
      ]);
      const ofOthers = (pool: string) =>
        !viewer.operates && !(platform.pools[pool]?.accounts?.includes(viewer.accountId) ?? true);
      // The last piece is the present.
      const present = pools.map((it) => ({ ...it, piece: seen.pieces.length - 1 }));
      const before = past.filter((it) => it.piece < seen.pieces.length - 1);
      const slots = sumByPiece([...before, ...present].filter((it) => !ofOthers(it.pool)));
      return {
        body: {
          RequestId: requestId,
          Live: seen.live,
          ...optional('OldestWaitingSeconds', seen.oldestWaitingSeconds),
          Pieces: seen.pieces.map((it, n) => ({
            Time: it.at.toISOString(),
            Succeeded: it.succeeded,
            Failed: it.failed,
            Cancelled: it.cancelled,
            Waiting: it.waiting,
            Running: it.running,
            OldestWaitingSeconds: it.oldestWaitingSeconds,
            ...optional('Slots', slots.get(n)?.slots),
            ...optional('SlotsBusy', slots.get(n)?.busy),
          })),
          Failures: seen.failures.map((it) => ({ Code: it.code, ...optional('Reason', it.reason), Count: it.n })),
          ...optional('MedianSeconds', seen.took.median),
          ...optional('SlowSeconds', seen.took.slow),
          Pools: pools
            .filter((it) => !ofOthers(it.pool))
            .map((it) => ({ Pool: it.pool, Slots: it.slots, Busy: it.busy })),
        },
      };
    }),
    route(consoleOperations.LintDockerfile, ({ body, requestId }) => {
      const { findings, steps, images } = lintDockerfile(body.Dockerfile, body.HasContext);
      const shown = findings.map((it) => ({
        Severity: it.severity,
        Line: it.line,
        ...optional('Rule', it.rule),
        Message: it.message,
      }));
      return Promise.resolve({ body: { RequestId: requestId, Findings: shown, Steps: steps, Images: images } });
    }),
    route(consoleOperations.GetPlatform, ({ viewer, requestId }) =>
      Promise.resolve({
        body: {
          RequestId: requestId,
          Classes: Object.entries(offeredClasses(platform)).map(([Name, it]) => ({
            Name,
            CpuMillis: it.cpuMillis,
            MemoryBytes: it.memoryBytes,
            DiskBytes: it.diskBytes,
            Seconds: it.seconds,
          })),
          AnyClass: platform.shippedClasses || '*' in platform.resources,
          Networks: Object.entries(platform.networks)
            .filter(([Name]) => Name !== 'default')
            .map(([Name, it]) => ({ Name, Groups: Object.keys(it.groups) })),
          Pools: poolsFor(platform.pools, viewer.accountId),
        },
      }),
    ),
    route(consoleOperations.GetImageDetails, async ({ viewer, params, requestId }) => {
      const image = await requireImage(db, viewer, params.ImageId);
      const [shown, versions] = await Promise.all([showImage(db, image), listVersions(db, viewer, image, versionsMax)]);
      return {
        body: {
          RequestId: requestId,
          Image: renderPaiImage(shown, true),
          ...optional('MediaType', image.mediaType),
          Platforms: image.platforms ?? [],
          History: (image.history ?? []).map((it) => ({
            Instruction: it.instruction,
            ...optional('Digest', it.digest),
            ...optional('SizeInBytes', it.size),
            ...optional('Compression', it.compression),
          })),
          ...optional('ImageBuildId', image.buildId),
          Pinned: image.pinned,
          ...optional('Retiring', renderRetiring(image)),
          PullReference: pullReference(image),
          Versions: versions.map((it) => renderPaiImage({ ...it, labels: [] }, false)),
        },
      };
    }),
    route(consoleOperations.ListAccess, async ({ viewer, requestId }) => {
      const [keys, registries] = await Promise.all([
        listOwnKeys(db, viewer.userId),
        listRegistryConnections(db, viewer.accountId),
      ]);
      return {
        body: {
          RequestId: requestId,
          AccessKeys: keys.map((it) => ({
            AccessKeyId: it.id,
            ...optional('Scopes', it.scopes),
            GmtCreateTime: it.createdAt.toISOString(),
            ...optional('GmtLastUseTime', it.lastUsedAt?.toISOString()),
            ...optional('GmtExpireTime', it.expiresAt?.toISOString()),
          })),
          Registries: registries.map((it) => ({
            InstanceId: it.id,
            Host: it.host,
            Tls: it.tlsMode,
            SignsIn: it.username !== null,
            Compression: it.compression,
            ...optional('CompressionLevel', it.compressionLevel),
            ...optional('TakesZstd', it.takesZstd),
            ...optional('CacheRepository', it.cacheRepository),
            ...optional('TakesCache', it.takesCache),
          })),
        },
      };
    }),
    route(consoleOperations.ListAuditRecords, async ({ viewer, query, requestId }) => {
      const records = await listAudit(db, {
        accountId: viewer.accountId,
        limit: query.Limit,
        ...(query.Before === undefined ? {} : { before: query.Before }),
      });
      return {
        body: {
          RequestId: requestId,
          Records: records.map((it) => ({
            Number: it.id,
            Time: new Date(it.at).toISOString(),
            Actor: it.actor,
            Action: it.action,
            Target: it.target,
            Outcome: it.outcome,
          })),
        },
      };
    }),
  ];
}

/** What several pools have together. */
function sumByPiece(samples: { piece: number; slots: number; busy: number }[]) {
  const sums = new Map<number, { slots: number; busy: number }>();
  for (const { piece, slots, busy } of samples) {
    const sum = sums.get(piece) ?? { slots: 0, busy: 0 };
    sums.set(piece, { slots: sum.slots + slots, busy: sum.busy + busy });
  }
  return sums;
}

/** What gets this very image; its tag, where the digest is not known yet. */
const pullReference = (image: Image): string =>
  image.digest === null ? formatReference(image) : `${image.host}/${image.repository}@${image.digest}`;
