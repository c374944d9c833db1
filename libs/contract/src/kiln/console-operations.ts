import { z } from 'zod';
import { buildStates, compressionChoices, lanes, retiringStages, scopes } from '@kiln/domain';
import { operation } from '../operation.ts';
import { queryInt } from '../text.ts';
import { shownImage } from '../pai/image.ts';
import { exampleImage } from '../pai/image-operations.ts';
import { dockerfileOperations } from './dockerfile-operations.ts';
import { operators, workerOperations } from './worker-operations.ts';

const requestId = { RequestId: z.string() };
const RequestId = '7B9EFB2C-0E2A-4F4F-8A3E-1B1C6E0F5A11';
const at = '2026-01-21T17:12:35.232Z';

/** What the console shows beside builds and images. */
export const consoleOperations = {
  GetOverview: operation({
    name: 'GetOverview',
    api: 'Kiln',
    method: 'GET',
    path: '/api/v1/overview',
    summary: 'Counts the builds that the caller sees: what runs and waits, and what ended in the last hours',
    query: z.object({ Hours: queryInt(1, 168).default(24) }),
    reply: z.object({
      ...requestId,
      Live: z.partialRecord(z.enum(buildStates), z.int()),
      OldestWaitingSeconds: z.int().optional(),
      Pieces: z
        .array(
          z.object({
            Time: z.iso.datetime(),
            Succeeded: z.int(),
            Failed: z.int(),
            Cancelled: z.int(),
            Waiting: z.int(),
            Running: z.int(),
            OldestWaitingSeconds: z.int().describe('how long the oldest waiting build had waited then'),
            Slots: z
              .int()
              .optional()
              .describe('of the builders that are for the caller; absent where nobody wrote it down'),
            SlotsBusy: z.int().optional().describe('by builds of all accounts'),
          }),
        )
        .describe('equal pieces of the time: what ended in each, and what there was at its end'),
      Failures: z.array(z.object({ Code: z.string(), Reason: z.string().optional(), Count: z.int() })),
      MedianSeconds: z.number().optional(),
      SlowSeconds: z.number().optional().describe('95 of 100 builds took less'),
      Pools: z.array(z.object({ Pool: z.string(), Slots: z.int(), Busy: z.int() })),
    }),
    statuses: [200],
    errors: [],
    example: {
      query: { Hours: '24' },
      reply: {
        RequestId,
        Live: { running: 1 },
        Pieces: [
          {
            Time: at,
            Succeeded: 3,
            Failed: 1,
            Cancelled: 0,
            Waiting: 2,
            Running: 1,
            OldestWaitingSeconds: 12,
            Slots: 4,
            SlotsBusy: 3,
          },
        ],
        Failures: [{ Code: 'StepFailed', Reason: 'PackageNotFound', Count: 1 }],
        Pools: [{ Pool: '', Slots: 2, Busy: 1 }],
      },
    },
  }),
  ...dockerfileOperations,
  GetPlatform: operation({
    name: 'GetPlatform',
    api: 'Kiln',
    method: 'GET',
    path: '/api/v1/platform',
    summary: 'Shows what the caller’s builds may ask for: resource classes, networks, pools of builders',
    query: z.object({}),
    reply: z.object({
      ...requestId,
      Classes: z
        .array(
          z.object({
            Name: z.string().describe('as Resource.EcsSpec names it'),
            CpuMillis: z.int(),
            MemoryBytes: z.int(),
            DiskBytes: z.int(),
            Seconds: z.int().describe('how long a build may take; 0 for no limit'),
          }),
        )
        .describe('the operator’s, and some of those that are known by the cloud’s names'),
      AnyClass: z.boolean().describe('whether further names of the cloud’s are taken'),
      Networks: z
        .array(z.object({ Name: z.string(), Groups: z.array(z.string()) }))
        .describe('as UserVpc.VpcId names them, and their groups as SecurityGroupId does'),
      Pools: z.array(z.string()).describe('as Resource.ResourceId names them'),
    }),
    statuses: [200],
    errors: [],
    free: true,
    example: {
      reply: {
        RequestId,
        Classes: [
          {
            Name: 'ecs.c6.large',
            CpuMillis: 2000,
            MemoryBytes: 4_294_967_296,
            DiskBytes: 21_474_836_480,
            Seconds: 7200,
          },
        ],
        AnyClass: true,
        Networks: [],
        Pools: [],
      },
    },
  }),
  GetImageDetails: operation({
    name: 'GetImageDetails',
    api: 'Kiln',
    method: 'GET',
    path: '/api/v1/images/{ImageId}/details',
    summary:
      'Shows an image with its platforms, its history with layers and sizes, and the other versions of its repository',
    query: z.object({}),
    reply: z.object({
      ...requestId,
      Image: shownImage,
      MediaType: z.string().optional(),
      Platforms: z.array(z.string()),
      History: z.array(
        z.object({
          Instruction: z.string(),
          Digest: z.string().optional(),
          SizeInBytes: z.int().optional(),
          Compression: z.enum(['gzip', 'zstd', 'none']).optional(),
        }),
      ),
      ImageBuildId: z.string().optional().describe('the build that made it'),
      Pinned: z.boolean().describe('it is kept, whatever the rules of its workspace say'),
      Retiring: z
        .object({
          Stage: z.enum(retiringStages),
          Reason: z.string(),
          GmtNextTime: z.iso.datetime().describe('when it is hidden, or deleted'),
        })
        .optional(),
      PullReference: z.string().describe('what gets this very image, whatever becomes of its tag'),
      Versions: z.array(shownImage),
    }),
    statuses: [200],
    errors: ['ImageNotFound'],
    example: {
      params: { ImageId: exampleImage.ImageId },
      reply: {
        RequestId,
        Image: exampleImage,
        Platforms: ['linux/amd64'],
        History: [{ Instruction: 'RUN pip install torch', Digest: exampleImage.Digest, SizeInBytes: 2_900_000_000 }],
        Pinned: false,
        PullReference: `registry.example.com/ml/torch-serving@${exampleImage.Digest}`,
        Versions: [],
      },
    },
  }),
  ListQueues: operation({
    name: 'ListQueues',
    api: 'Kiln',
    method: 'GET',
    path: '/api/v1/queues',
    summary: 'Shows the pending queue by lane and account, the queues behind it, and the builds in quarantine',
    query: z.object({}),
    reply: z.object({
      ...requestId,
      Lanes: z.array(z.object({ Pool: z.string(), Lane: z.enum(lanes), Waiting: z.int(), OldestSeconds: z.int() })),
      Accounts: z.array(
        z.object({
          AccountId: z.string(),
          Account: z.string(),
          Waiting: z.int(),
          Running: z.int(),
          Weight: z.number(),
          RunningMax: z.int().describe('0 for no limit'),
        }),
      ),
      Outbox: z.object({ Waiting: z.int(), OldestMs: z.int() }),
      Queues: z
        .record(z.string(), z.record(z.string(), z.int()))
        .optional()
        .describe('jobs by queue and state; absent while the queues cannot be reached'),
      Quarantine: z.array(
        z.object({
          ImageBuildId: z.string(),
          Account: z.string(),
          ImageName: z.string(),
          GmtQuarantineTime: z.iso.datetime(),
          Attempts: z.int(),
          Message: z.string(),
        }),
      ),
    }),
    statuses: [200],
    errors: [],
    ...operators,
    example: {
      reply: {
        RequestId,
        Lanes: [{ Pool: '', Lane: 'normal', Waiting: 3, OldestSeconds: 12 }],
        Accounts: [],
        Outbox: { Waiting: 0, OldestMs: 0 },
        Quarantine: [],
      },
    },
  }),
  RedriveImageBuild: operation({
    name: 'RedriveImageBuild',
    makes: 'ImageBuildId',
    api: 'Kiln',
    method: 'POST',
    path: '/api/v1/queues/quarantine/{ImageBuildId}/redrive',
    summary: 'Runs a build in quarantine again, as a new one with the same inputs',
    query: z.object({}),
    reply: z.object({ ...requestId, ImageBuildId: z.string() }),
    statuses: [200],
    errors: ['BuildNotFound', 'BuildNotRetryable', 'ImageNameDuplicated'],
    ...operators,
    example: {
      params: { ImageBuildId: 'build-a1b2c3d4e5f6g7h8' },
      reply: { RequestId, ImageBuildId: 'build-n2n4p6q8r0s2t4u6' },
    },
  }),
  ...workerOperations,
  ListAccess: operation({
    name: 'ListAccess',
    api: 'Kiln',
    method: 'GET',
    path: '/api/v1/access',
    summary: "Shows the caller's access keys and the account's registry connections, without their secrets",
    query: z.object({}),
    reply: z.object({
      ...requestId,
      AccessKeys: z.array(
        z.object({
          AccessKeyId: z.string(),
          Scopes: z.array(z.enum(scopes)).optional(),
          GmtCreateTime: z.iso.datetime(),
          GmtLastUseTime: z.iso.datetime().optional(),
          GmtExpireTime: z.iso.datetime().optional(),
        }),
      ),
      Registries: z.array(
        z.object({
          InstanceId: z.string(),
          Host: z.string(),
          Tls: z.string(),
          SignsIn: z.boolean(),
          Compression: z.enum(compressionChoices).describe('of new layers; "auto" is zstd where the registry takes it'),
          CompressionLevel: z.int().optional(),
          TakesZstd: z.boolean().optional().describe('absent until a layer of zstd was sent'),
          CacheRepository: z.string().optional().describe('where layers of builds are kept for other builders'),
          TakesCache: z.boolean().optional().describe('false once the registry has refused such layers'),
        }),
      ),
    }),
    statuses: [200],
    errors: [],
    role: 'viewer',
    example: {
      reply: {
        RequestId,
        AccessKeys: [{ AccessKeyId: 'KILNA1B2C3D4E5F6G7H8', GmtCreateTime: at }],
        Registries: [
          { InstanceId: 'cri-local', Host: 'registry.example.com', Tls: 'verify', Compression: 'gzip', SignsIn: true },
        ],
      },
    },
  }),
  ListAuditRecords: operation({
    name: 'ListAuditRecords',
    api: 'Kiln',
    method: 'GET',
    path: '/api/v1/audit',
    summary: "Shows the account's audit log, newest first",
    query: z.object({ Before: queryInt(1, Number.MAX_SAFE_INTEGER).optional(), Limit: queryInt(1, 200).default(50) }),
    reply: z.object({
      ...requestId,
      Records: z.array(
        z.object({
          Number: z.int(),
          Time: z.iso.datetime(),
          Actor: z.string(),
          Action: z.string(),
          Target: z.string(),
          Outcome: z.string(),
        }),
      ),
    }),
    statuses: [200],
    errors: [],
    role: 'admin',
    example: {
      reply: {
        RequestId,
        Records: [
          {
            Number: 1,
            Time: at,
            Actor: '10000000000001',
            Action: 'CreateImageBuild',
            Target: '/api/v1/imagebuilds',
            Outcome: 'ok',
          },
        ],
      },
    },
  }),
};
