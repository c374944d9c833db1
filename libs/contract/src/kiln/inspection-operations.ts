import { checkResults, packageTypes, severities, verdicts } from '@kiln/domain';
import { z } from 'zod';
import { operation } from '../operation.ts';
import { oneOf, queryInt, text } from '../text.ts';
import { imageCheck } from './events.ts';

const requestId = { RequestId: z.string() };
const RequestId = '7B9EFB2C-0E2A-4F4F-8A3E-1B1C6E0F5A11';
const ImageId = 'image-05cefd0be2f8c51d';
const InspectionId = 'insp-7b9efb2c-0e2a-4f4f-8a3e-1b1c6e0f5a11';
const Digest = 'sha256:3f79bb7b435b05321651daefd374cdc681dc06faa65e374e38337b88ca046dea';
const at = '2026-01-15T09:30:00.000Z';

const user = z.object({ Name: z.string(), Uid: z.int(), Gid: z.int(), Home: z.string(), Shell: z.string() });
const placed = { Path: z.string(), Layer: z.int().describe('from 0, the lowest') };

const facts = z
  .object({
    Os: z.object({ Id: z.string(), Version: z.string(), Name: z.string() }).optional(),
    Libc: z.object({ Kind: z.enum(['glibc', 'musl']), Version: z.string().optional() }).optional(),
    Architectures: z.array(z.string()).describe('of programs and libraries'),
    Pythons: z.array(z.object({ Path: z.string(), Version: z.string() })),
    Frameworks: z.array(
      z.object({ Name: z.string(), Version: z.string(), Cuda: z.string().optional().describe('that it was made for') }),
    ),
    Cuda: z.array(z.object({ Version: z.string(), Path: z.string() })).describe('toolkits of the image itself'),
    Cudnn: z.string().optional(),
    Nccl: z.string().optional(),
    Cann: z.string().optional(),
    Users: z.array(user),
    Groups: z.array(z.object({ Name: z.string(), Gid: z.int() })),
    Setuid: z.array(z.object({ ...placed, Mode: z.string().describe('octal') })),
    Largest: z.array(z.object({ ...placed, Size: z.number() })),
    Secrets: z.array(z.object({ ...placed, Kind: z.string() })).describe('what looks like a key; never what is in it'),
    Layers: z.array(
      z.object({
        Digest: z.string(),
        Size: z.number().describe('compressed bytes'),
        Unpacked: z.number().describe('bytes of its files'),
        Files: z.int(),
        Instruction: z.string().describe('that made it'),
      }),
    ),
    User: z.string(),
    WorkingDir: z.string(),
    Entrypoint: z.array(z.string()),
    Cmd: z.array(z.string()),
    Env: z.array(z.string()),
    Ports: z.array(z.string()),
    Volumes: z.array(z.string()),
    Labels: z.array(z.object({ Key: z.string(), Value: z.string() })),
    Incomplete: z.boolean().describe('more is there than is looked at: what is not told may be there'),
  })
  .meta({ id: 'ImageFacts' });

const check = z.object({
  Rule: z.string(),
  Title: z.string(),
  Severity: z.enum(severities),
  Result: z.enum(checkResults),
  Found: z.string(),
  Path: z.string().optional(),
  Layer: z.int().optional(),
  Fix: z.array(z.string()).optional().describe('lines of a Dockerfile'),
  Source: z.string().describe('where the rule is written'),
});

const profile = z
  .object({
    Profile: z.string(),
    Title: z.string(),
    Version: z.int(),
    Verdict: z.enum(verdicts),
    Checks: z.array(check),
    Notes: z.array(z.string()).describe('what no look at an image can tell'),
  })
  .meta({ id: 'ProfileResult' });

const inspection = z
  .object({
    State: z.enum(['waiting', 'reading', 'done', 'failed']),
    Image: z.string().describe('with its digest, once that is known'),
    Digest: z.string().optional(),
    Platform: z.string().optional(),
    GmtReadTime: z.string().optional(),
    Code: z.string().optional().describe('why it failed, or why it has not been read yet'),
    Message: z.string().optional(),
    Facts: facts.optional(),
    Denied: z
      .array(z.object({ Key: z.string(), Claimed: z.string(), Found: z.string() }))
      .optional()
      .describe('labels of the image that the facts deny'),
    Profiles: z.array(profile).describe('those that were asked for; without any, those that the image is meant for'),
  })
  .meta({ id: 'Inspection' });

const difference = z.object({
  Name: z.string(),
  Now: z.string().optional().describe('absent where only the older one has it'),
  Before: z.string().optional().describe('absent where only the newer one has it'),
});
const differentLayer = z.object({ Digest: z.string(), Size: z.number(), Instruction: z.string() });

const example = {
  RequestId,
  State: 'done',
  Image: `registry.example.com/ml/torch-serving@${Digest}`,
  Digest,
  Platform: 'linux/amd64',
  GmtReadTime: at,
  Profiles: [],
};

const profiles = { Profiles: text(2000).optional().describe('names with commas between them, or all') };

/** What is in images, and whether it will run where it is meant to. */
export const inspectionOperations = {
  GetImageFacts: operation({
    name: 'GetImageFacts',
    api: 'Kiln',
    method: 'GET',
    path: '/api/v1/images/{ImageId}/facts',
    summary: 'Shows what is in an image of the catalogue, and how it does by what platforms ask of images',
    query: z.object(profiles),
    reply: inspection.extend({
      ...requestId,
      Check: imageCheck.optional().describe('by the policy of its workspace'),
    }),
    statuses: [200],
    errors: ['ImageNotFound', 'InspectionNotFound', 'ProfileNotFound'],
    example: { params: { ImageId }, reply: example },
  }),
  ListImagePackages: operation({
    name: 'ListImagePackages',
    api: 'Kiln',
    method: 'GET',
    path: '/api/v1/images/{ImageId}/packages',
    summary: 'Lists the packages of an image of the catalogue, with the layer and the instruction that brought each',
    query: z.object({
      Type: oneOf(packageTypes).optional(),
      Limit: queryInt(1, 5000).optional(),
      NextToken: text(1000).optional(),
    }),
    reply: z.object({
      ...requestId,
      Packages: z.array(
        z.object({
          Type: z.enum(packageTypes),
          Name: z.string(),
          Version: z.string(),
          Layer: z.int(),
          Instruction: z.string(),
        }),
      ),
      NextToken: z.string().optional(),
    }),
    statuses: [200],
    errors: ['ImageNotFound', 'InspectionNotFound'],
    example: {
      params: { ImageId },
      reply: {
        RequestId,
        Packages: [{ Type: 'pypi', Name: 'torch', Version: '2.6.0', Layer: 2, Instruction: 'RUN pip install torch' }],
      },
    },
  }),
  CompareImage: operation({
    name: 'CompareImage',
    api: 'Kiln',
    method: 'GET',
    path: '/api/v1/images/{ImageId}/comparison',
    summary: 'Shows in what an image differs from an older one: packages, facts, layers, sizes',
    query: z.object({
      With: text(64, 1).optional().describe('id of the older image; without it, the one of its repository before it'),
    }),
    reply: z.object({
      ...requestId,
      Image: z.string(),
      Previous: z.string(),
      Packages: z.array(difference),
      Facts: z.array(difference),
      SharedLayers: z.int(),
      Layers: z.array(differentLayer).describe('that only the image has'),
      PreviousLayers: z.array(differentLayer).describe('that only the older one has'),
      SizeInBytes: z.number().describe('compressed'),
      PreviousSizeInBytes: z.number(),
      UnpackedInBytes: z.number(),
      PreviousUnpackedInBytes: z.number(),
      Incomplete: z.boolean().describe('of one of them, not all is known'),
    }),
    statuses: [200],
    errors: ['ImageNotFound', 'InspectionNotFound'],
    example: {
      params: { ImageId },
      reply: {
        RequestId,
        Image: `registry.example.com/ml/torch-serving@${Digest}`,
        Previous: `registry.example.com/ml/torch-serving@${Digest}`,
        Packages: [{ Name: 'pypi torch', Now: '2.6.0', Before: '2.5.1' }],
        Facts: [],
        SharedLayers: 3,
        Layers: [],
        PreviousLayers: [],
        SizeInBytes: 1000,
        PreviousSizeInBytes: 1000,
        UnpackedInBytes: 3000,
        PreviousUnpackedInBytes: 3000,
        Incomplete: false,
      },
    },
  }),
  SearchPackages: operation({
    name: 'SearchPackages',
    api: 'Kiln',
    method: 'GET',
    path: '/api/v1/packages',
    summary: 'Finds the account’s images by their packages: torch<2.6, numpy>=1.26; all of them have to be there',
    query: z.object({
      Query: text(500).describe('conditions with commas between them'),
      Limit: queryInt(1, 1000).optional(),
    }),
    reply: z.object({
      ...requestId,
      TotalCount: z.int(),
      Images: z.array(
        z.object({
          ImageId: z.string(),
          Name: z.string(),
          ImageUri: z.string(),
          Packages: z.array(z.object({ Name: z.string(), Version: z.string() })).describe('that fit'),
        }),
      ),
    }),
    statuses: [200],
    errors: [],
    example: { query: { Query: 'torch<2.6' }, reply: { RequestId, TotalCount: 0, Images: [] } },
  }),
  CreateInspection: operation({
    name: 'CreateInspection',
    api: 'Kiln',
    method: 'POST',
    path: '/api/v1/inspections',
    summary: 'Has an image read that need not be in the catalogue; what is found is kept for a week',
    query: z.object({}),
    body: z.object({
      ImageUri: text(1024),
      Arch: oneOf(['X86_64', 'AARCH64']).optional(),
    }),
    reply: z.object({ ...requestId, InspectionId: z.string() }),
    statuses: [201],
    errors: ['TooManyWaiting'],
    makes: 'InspectionId',
    example: { body: { ImageUri: 'registry.example.com/ml/base:v1' }, reply: { RequestId, InspectionId } },
  }),
  GetInspection: operation({
    name: 'GetInspection',
    api: 'Kiln',
    method: 'GET',
    path: '/api/v1/inspections/{InspectionId}',
    summary: 'Shows what was found in an image that was asked for',
    query: z.object(profiles),
    reply: inspection.extend(requestId),
    statuses: [200],
    errors: ['InspectionNotFound', 'ProfileNotFound'],
    example: { params: { InspectionId }, reply: example },
  }),
  ListProfiles: operation({
    name: 'ListProfiles',
    api: 'Kiln',
    method: 'GET',
    path: '/api/v1/profiles',
    summary: 'Lists what images can be held against, with every rule and its source',
    query: z.object({}),
    reply: z.object({
      ...requestId,
      Profiles: z.array(
        z.object({
          Profile: z.string(),
          Title: z.string(),
          Version: z.int(),
          Notes: z.array(z.string()),
          Rules: z.array(
            z.object({
              Id: z.string(),
              Title: z.string(),
              Severity: z.enum(severities),
              Source: z.string(),
              Date: z.string(),
            }),
          ),
        }),
      ),
    }),
    statuses: [200],
    errors: [],
    example: { reply: { RequestId, Profiles: [] } },
  }),
};
