import { campaignCounts } from './events.ts';
import { campaignImagesMax, campaignOutcomes, campaignStates } from '@kiln/domain';
import { z } from 'zod';
import { operation } from '../operation.ts';
import { idText, oneOf, queryInt, repositoryPatterns, text } from '../text.ts';

const requestId = { RequestId: z.string() };
const RequestId = '7B9EFB2C-0E2A-4F4F-8A3E-1B1C6E0F5A11';
const CampaignId = 'camp-a1b2c3d4e5f60718';
const WorkspaceId = '123456';

const percent = z.int('must be a whole number').min(0, 'must be at least 0').max(100, 'must be at most 100');

const body = z.object(
  {
    WorkspaceId: idText(64),
    Title: text(256).default(''),
    Stale: z.boolean('must be true or false').optional().describe('those of which a base has a newer image'),
    MadeFrom: text(64, 1).optional().describe('an ImageId: those that were made from it, directly or not'),
    Repositories: repositoryPatterns.optional().describe('such as `ml/**`, without the host'),
    ImageIds: z
      .array(text(64, 1), 'must be a list of ImageIds')
      .min(1, 'must name an image')
      .max(campaignImagesMax, `has more than ${campaignImagesMax} entries`)
      .optional(),
    RatePerHour: z
      .int('must be a whole number')
      .min(1, 'must be at least 1')
      .max(100_000, 'must be at most 100000')
      .default(60)
      .describe('builds that are submitted within an hour at most'),
    CanaryPercent: percent
      .default(10)
      .describe('of the images, at least one: all have to succeed before the others are built'),
    StopPercent: percent.default(20).describe('of the ended builds that may fail before it stops'),
  },
  'must be a JSON object',
);

const summary = {
  CampaignId: z.string(),
  WorkspaceId: z.string(),
  Title: z.string(),
  State: z.enum(campaignStates),
  Reason: z.string().optional().describe('why it stopped by itself, or why it waits'),
  RatePerHour: z.int(),
  CanaryPercent: z.int(),
  StopPercent: z.int(),
  Counts: campaignCounts,
  GmtCreateTime: z.iso.datetime(),
  GmtEndTime: z.iso.datetime().optional(),
};
const whole = z.object({
  ...requestId,
  ...summary,
  Images: z
    .array(
      z.object({
        ImageId: z.string().describe('of the image that is built anew'),
        Name: z.string(),
        ImageUri: z.string(),
        Outcome: z.enum(campaignOutcomes),
        ImageBuildId: z.string().optional().describe('of the new build'),
        Message: z.string().optional(),
      }),
    )
    .describe('in the order in which they are built'),
});
const exampleSummary = {
  CampaignId,
  WorkspaceId,
  Title: 'Debian 12.9',
  State: 'planned',
  RatePerHour: 60,
  CanaryPercent: 10,
  StopPercent: 20,
  Counts: { Waiting: 0, Building: 0, Succeeded: 0, Failed: 0, Skipped: 0 },
  GmtCreateTime: '2026-01-21T17:12:35.232Z',
} as const;

/** Many images built anew, some at a time. */
export const campaignOperations = {
  PlanCampaign: operation({
    name: 'PlanCampaign',
    api: 'Kiln',
    method: 'POST',
    path: '/api/v1/campaigns',
    summary:
      'Lists the images of a workspace that would be built anew from their requests, and builds none before it is started',
    query: z.object({}),
    body,
    reply: whole,
    statuses: [201],
    errors: ['WorkspaceNotFound', 'ImageNotFound'],
    guarded: ['Stale', 'MadeFrom', 'Repositories', 'ImageIds', 'RatePerHour', 'CanaryPercent', 'StopPercent'],
    makes: 'CampaignId',
    role: 'operator',
    example: {
      body: { WorkspaceId, Title: 'Debian 12.9', Stale: true },
      reply: { RequestId, ...exampleSummary, Images: [] },
    },
  }),
  ListCampaigns: operation({
    name: 'ListCampaigns',
    api: 'Kiln',
    method: 'GET',
    path: '/api/v1/campaigns',
    summary: 'Lists campaigns, the newest first',
    query: z.object({ WorkspaceId: text(64, 1).optional(), Limit: queryInt(1, 1000).optional() }),
    reply: z.object({ ...requestId, Campaigns: z.array(z.object(summary)) }),
    statuses: [200],
    errors: ['WorkspaceNotFound'],
    role: 'operator',
    example: { reply: { RequestId, Campaigns: [exampleSummary] } },
  }),
  GetCampaign: operation({
    name: 'GetCampaign',
    api: 'Kiln',
    method: 'GET',
    path: '/api/v1/campaigns/{CampaignId}',
    summary: 'Shows a campaign, with what has become of each image',
    query: z.object({}),
    reply: whole,
    statuses: [200],
    errors: ['CampaignNotFound'],
    role: 'operator',
    example: { params: { CampaignId }, reply: { RequestId, ...exampleSummary, Images: [] } },
  }),
  MoveCampaign: operation({
    name: 'MoveCampaign',
    api: 'Kiln',
    method: 'PUT',
    path: '/api/v1/campaigns/{CampaignId}/state',
    summary:
      'Starts a campaign, pauses it, lets it go on, or cancels what it has not begun; builds that run are left alone',
    query: z.object({}),
    body: z.object({ State: oneOf(['running', 'paused', 'cancelled']) }, 'must be a JSON object'),
    reply: z.object({ ...requestId, ...summary }),
    statuses: [200],
    errors: ['CampaignNotFound', 'CampaignNotMovable'],
    guarded: ['State'],
    role: 'operator',
    example: {
      params: { CampaignId },
      body: { State: 'running' },
      reply: { RequestId, ...exampleSummary, State: 'running' },
    },
  }),
};
