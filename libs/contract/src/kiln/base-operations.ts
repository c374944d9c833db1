import { driftKinds, imageStatuses } from '@kiln/domain';
import { z } from 'zod';
import { operation } from '../operation.ts';
import { oneOf, queryInt, text } from '../text.ts';
import { imageDrift } from './events.ts';

const requestId = { RequestId: z.string() };
const RequestId = '7B9EFB2C-0E2A-4F4F-8A3E-1B1C6E0F5A11';
const ImageId = 'image-05cefd0be2f8c51d';

const entry = z.object({ ImageId: z.string(), Name: z.string(), ImageUri: z.string(), Digest: z.string() });

/** What images stand on, and what stands on them. */
export const baseOperations = {
  ListBases: operation({
    name: 'ListBases',
    api: 'Kiln',
    method: 'GET',
    path: '/api/v1/images/{ImageId}/bases',
    summary: 'Lists the images that an image of a build was made from, by digest, and theirs as far as they are known',
    query: z.object({}),
    reply: z.object({
      ...requestId,
      Bases: z.array(
        z.object({
          Name: z.string().describe('as the Dockerfile has it'),
          Image: z.string().describe('host/repository@digest'),
          Platform: z.string(),
          Depth: z.int().describe('1 for the bases of the image itself, 2 for theirs'),
          Entry: entry.optional().describe('of the catalogue'),
          Newer: entry.optional().describe('what the catalogue has for its tag now: the image is stale'),
          LatestDigest: z
            .string()
            .optional()
            .describe('what its registry had for its tag when it was last asked, where that is another: it is stale'),
        }),
      ),
      Stale: z.boolean().describe('one of them has a newer image of its tag'),
    }),
    statuses: [200],
    errors: ['ImageNotFound'],
    example: { params: { ImageId }, reply: { RequestId, Bases: [], Stale: false } },
  }),
  ListDrift: operation({
    name: 'ListDrift',
    api: 'Kiln',
    method: 'GET',
    path: '/api/v1/drift',
    summary: 'Lists the images that differ from what their registry holds, and those of which a base has a newer image',
    query: z.object({
      WorkspaceId: text(64, 1).optional(),
      Kind: oneOf([...driftKinds, 'stale']).optional(),
      Limit: queryInt(1, 1000).optional(),
    }),
    reply: z.object({
      ...requestId,
      TotalCount: z.int(),
      Images: z
        .array(
          entry.extend({
            WorkspaceId: z.string(),
            Status: z.enum(imageStatuses),
            Drift: imageDrift.optional(),
            Stale: z.boolean(),
          }),
        )
        .describe('the newest first'),
    }),
    statuses: [200],
    errors: ['WorkspaceNotFound'],
    example: { reply: { RequestId, TotalCount: 0, Images: [] } },
  }),
  VerifyImage: operation({
    name: 'VerifyImage',
    api: 'Kiln',
    method: 'POST',
    path: '/api/v1/images/{ImageId}/verify',
    summary: 'Verifies an image again at its registry, and waits a moment for what is found',
    query: z.object({}),
    reply: z.object({
      ...requestId,
      ImageId: z.string(),
      Status: z.enum(imageStatuses),
      StatusMessage: z.string(),
    }),
    statuses: [200],
    errors: ['ImageNotFound'],
    example: { params: { ImageId }, reply: { RequestId, ImageId, Status: 'ACTIVE', StatusMessage: '' } },
  }),
  ListDependents: operation({
    name: 'ListDependents',
    api: 'Kiln',
    method: 'GET',
    path: '/api/v1/images/{ImageId}/dependents',
    summary: 'Lists the images of builds that were made from an image, directly or by others in between',
    query: z.object({ Limit: queryInt(1, 1000).optional() }),
    reply: z.object({
      ...requestId,
      TotalCount: z.int(),
      Dependents: z.array(entry.extend({ Depth: z.int().describe('1 for those that it is named in') })),
    }),
    statuses: [200],
    errors: ['ImageNotFound'],
    example: { params: { ImageId }, reply: { RequestId, TotalCount: 0, Dependents: [] } },
  }),
};
