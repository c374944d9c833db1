import { noRetention, retiringStages } from '@kiln/domain';
import { z } from 'zod';
import { operation } from '../operation.ts';
import { patterns, repositoryPatterns, text } from '../text.ts';

const requestId = { RequestId: z.string() };
const RequestId = '7B9EFB2C-0E2A-4F4F-8A3E-1B1C6E0F5A11';
const at = '2026-01-21T17:12:35.232Z';
const WorkspaceId = '123456';
const ImageId = 'image-05cefd0be2f8c51d';
const PlanId = 'plan-7b9efb2c-0e2a-4f4f-8a3e-1b1c6e0f5a11';
const path = '/api/v1/workspaces/{WorkspaceId}/retention';

const days = (least: number, most = 3650) =>
  z.int('must be a whole number of days').min(least, `must be at least ${least}`).max(most, `must be at most ${most}`);

const rule = z.object(
  {
    Repositories: repositoryPatterns.describe(
      'such as `ml/**`, without the host; the first rule of which one fits decides about a repository',
    ),
    KeepLast: z
      .int('must be a whole number')
      .min(1, 'must be at least 1')
      .max(10_000, 'must be at most 10000')
      .describe('so many of the newest of each repository'),
    KeepTags: patterns.max(50, 'has more than 50 entries').default([]),
    KeepLabels: z
      .array(z.object({ Key: text(128, 1), Value: text(256) }), 'must be a list of labels')
      .max(50, 'has more than 50 entries')
      .default([]),
    KeepDays: days(1).describe('those that are not older'),
    KeepUsedDays: days(1).default(30).describe('those that were used not longer ago'),
  },
  'must be a JSON object',
);
const fields = {
  Rules: z
    .array(rule, 'must be a list of rules')
    .max(50, 'has more than 50 entries')
    .describe('an image of a repository that none is for is kept'),
  HideAfterDays: days(0, 365)
    .default(noRetention.hideAfterDays)
    .describe('from an image being deprecated until only its owner and operators see it'),
  DeleteAfterDays: days(0, 365).default(noRetention.deleteAfterDays).describe('from then until it is deleted'),
  Purge: z
    .boolean('must be true or false')
    .default(noRetention.purge)
    .describe('whether it is then taken out of its registry, too'),
};
const guarded = ['Rules', 'HideAfterDays', 'DeleteAfterDays', 'Purge'];
const shown = z.object({ ...requestId, WorkspaceId: z.string(), ...fields });
const example = {
  Rules: [
    {
      Repositories: ['ml/**'],
      KeepLast: 5,
      KeepTags: ['v*'],
      KeepLabels: [{ Key: 'keep', Value: 'yes' }],
      KeepDays: 30,
      KeepUsedDays: 60,
    },
  ],
  HideAfterDays: 7,
  DeleteAfterDays: 7,
  Purge: false,
};

const planned = z.object({
  ImageId: z.string(),
  Name: z.string(),
  ImageUri: z.string(),
  Digest: z.string().optional(),
  SizeInBytes: z.int().optional(),
  Reason: z.string(),
});
const plan = z.object({
  ...requestId,
  PlanId: z.string(),
  Images: z.array(planned).describe('that may go, the oldest first; at most 5000'),
  Bytes: z.int().describe('of these, and of those that are on their way out: what no other image has'),
  GmtCreateTime: z.iso.datetime(),
  GmtRunTime: z.iso.datetime().optional(),
});
const examplePlan = { RequestId, PlanId, Images: [], Bytes: 0, GmtCreateTime: at };

/** How long workspaces keep their images. */
export const retentionOperations = {
  GetRetention: operation({
    name: 'GetRetention',
    api: 'Kiln',
    method: 'GET',
    path,
    summary: 'Shows which images of a workspace are kept',
    query: z.object({}),
    reply: shown,
    statuses: [200],
    errors: ['WorkspaceNotFound'],
    example: { params: { WorkspaceId }, reply: { RequestId, WorkspaceId, ...example } },
  }),
  PutRetention: operation({
    name: 'PutRetention',
    api: 'Kiln',
    method: 'PUT',
    path,
    summary: 'Sets which images of a workspace are kept; nothing is removed before a plan is run',
    query: z.object({}),
    body: z.object(fields, 'must be a JSON object'),
    reply: shown,
    statuses: [200],
    errors: ['WorkspaceNotFound'],
    guarded,
    role: 'admin',
    example: { params: { WorkspaceId }, body: example, reply: { RequestId, WorkspaceId, ...example } },
  }),
  PlanRetention: operation({
    name: 'PlanRetention',
    api: 'Kiln',
    method: 'POST',
    path: `${path}/plans`,
    summary:
      'Lists the images that may go by the rules of a workspace, and changes none; the plan can be run for a day',
    query: z.object({}),
    reply: plan,
    statuses: [201],
    errors: ['WorkspaceNotFound'],
    makes: 'PlanId',
    role: 'admin',
    example: { params: { WorkspaceId }, reply: examplePlan },
  }),
  GetRetentionPlan: operation({
    name: 'GetRetentionPlan',
    api: 'Kiln',
    method: 'GET',
    path: `${path}/plans/{PlanId}`,
    summary: 'Shows a plan of the last 30 days, with those of its images that are still there',
    query: z.object({}),
    reply: plan,
    statuses: [200],
    errors: ['WorkspaceNotFound', 'PlanNotFound'],
    role: 'admin',
    example: { params: { WorkspaceId, PlanId }, reply: examplePlan },
  }),
  RunRetention: operation({
    name: 'RunRetention',
    api: 'Kiln',
    method: 'POST',
    path: `${path}/plans/{PlanId}/run`,
    summary: 'Deprecates those images of a plan that may still go, once',
    query: z.object({}),
    reply: z.object({
      ...requestId,
      Deprecated: z.array(z.string()).describe('ImageIds'),
      Kept: z.array(z.string()).describe('ImageIds of the plan that something keeps by now, or that are gone'),
    }),
    statuses: [200],
    errors: ['WorkspaceNotFound', 'PlanNotFound', 'PlanNotRunnable'],
    role: 'admin',
    example: { params: { WorkspaceId, PlanId }, reply: { RequestId, Deprecated: [ImageId], Kept: [] } },
  }),
  ListRetiring: operation({
    name: 'ListRetiring',
    api: 'Kiln',
    method: 'GET',
    path: `${path}/images`,
    summary: 'Lists the images of a workspace that are on their way out, those that go on first first',
    query: z.object({}),
    reply: z.object({
      ...requestId,
      Images: z.array(
        planned.extend({
          Stage: z.enum(retiringStages),
          GmtNextTime: z.iso.datetime().describe('when it is hidden, or deleted'),
        }),
      ),
    }),
    statuses: [200],
    errors: ['WorkspaceNotFound'],
    role: 'operator',
    example: { params: { WorkspaceId }, reply: { RequestId, Images: [] } },
  }),
  RestoreImage: operation({
    name: 'RestoreImage',
    api: 'Kiln',
    method: 'POST',
    path: '/api/v1/images/{ImageId}/restore',
    summary: 'Makes a deprecated or hidden image again what it was; it counts as used now',
    query: z.object({}),
    reply: z.object({ ...requestId, ImageId: z.string() }),
    statuses: [200],
    errors: ['ImageNotFound', 'ImageNotRetiring'],
    example: { params: { ImageId }, reply: { RequestId, ImageId } },
  }),
  PinImage: operation({
    name: 'PinImage',
    api: 'Kiln',
    method: 'PUT',
    path: '/api/v1/images/{ImageId}/pin',
    summary: 'Keeps an image whatever the rules of its workspace say, or no longer',
    query: z.object({}),
    body: z.object({ Pinned: z.boolean('must be true or false') }, 'must be a JSON object'),
    reply: z.object({ ...requestId, ImageId: z.string(), Pinned: z.boolean() }),
    statuses: [200],
    errors: ['ImageNotFound'],
    guarded: ['Pinned'],
    example: { params: { ImageId }, body: { Pinned: true }, reply: { RequestId, ImageId, Pinned: true } },
  }),
  ReportUse: operation({
    name: 'ReportUse',
    api: 'Kiln',
    method: 'POST',
    path: '/api/v1/images/{ImageId}/uses',
    summary:
      'Says that an image is in use, which keeps it for as long as the rules say; builds that start from it do so',
    query: z.object({}),
    reply: z.object({ ...requestId, ImageId: z.string() }),
    statuses: [200],
    errors: ['ImageNotFound'],
    example: { params: { ImageId }, reply: { RequestId, ImageId } },
  }),
};
