import { z } from 'zod';
import {
  buildStates,
  campaignStates,
  driftKinds,
  imageStatuses,
  eventTypes,
  policyModes,
  severities,
  verdicts,
} from '@kiln/domain';

const buildData = z.object({
  ImageBuildId: z.string(),
  ImageBuildJobId: z.string(),
  WorkspaceId: z.string(),
  UserId: z.string(),
  ImageName: z.string(),
  ImageUri: z.string(),
  State: z.enum(buildStates),
  Attempt: z.int(),
  Message: z.string(),
  ImageId: z.string().optional(),
  Digest: z.string().optional(),
  SizeInBytes: z.int().optional(),
  Error: z
    .object({ Code: z.string(), Class: z.string(), Message: z.string(), Reason: z.string().optional() })
    .optional(),
});

/** A rule that an image breaks. */
export const brokenRule = z.object({
  Profile: z.string(),
  Rule: z.string(),
  Title: z.string(),
  Severity: z.enum(severities),
  Found: z.string(),
});

/** How an image did by the policy of its workspace. */
export const imageCheck = z.object({
  Mode: z.enum(policyModes),
  Verdict: z.enum(verdicts),
  Profiles: z.array(z.object({ Profile: z.string(), Verdict: z.enum(verdicts) })),
  Broken: z.array(brokenRule).describe('at most 50'),
});

/** How an image differs from what its registry holds. */
export const imageDrift = z.object({
  Kind: z.enum(driftKinds),
  Digest: z.string().optional().describe('what its tag names now'),
});

const imageData = z.object({
  ImageId: z.string(),
  ModelArtsImageId: z.string().describe("the image's id in ModelArts' calls"),
  WorkspaceId: z.string(),
  UserId: z.string(),
  Name: z.string(),
  ImageUri: z.string(),
  Status: z.enum(imageStatuses),
  StatusMessage: z.string(),
  Digest: z.string().optional(),
  SizeInBytes: z.int().optional(),
  ImageBuildId: z.string().optional(),
  Check: imageCheck.optional().describe('of image.checked'),
  Drift: imageDrift.optional().describe('of image.drifted; not there when the image is again as it was'),
});

/** How many images of a campaign are where. */
export const campaignCounts = z.object({
  Waiting: z.int(),
  Building: z.int(),
  Succeeded: z.int(),
  Failed: z.int(),
  Skipped: z.int(),
});

const campaignData = z.object({
  CampaignId: z.string(),
  WorkspaceId: z.string(),
  UserId: z.string(),
  Title: z.string(),
  State: z.enum(campaignStates),
  Reason: z.string().describe('why it stopped by itself, or why it waits'),
  Counts: campaignCounts,
});

const testData = z.object({ WebhookId: z.string() });

const eventData = z.union([buildData, imageData, campaignData, testData]);

/** An event as it looks everywhere: in lists, in streams, and as the body of a webhook. */
export const shownEvent = z
  .object({
    id: z.string().describe('the same wherever the event is told, and however often'),
    type: z.enum(eventTypes),
    timestamp: z.iso.datetime(),
    data: eventData,
  })
  .meta({ id: 'Event' });
export type ShownEvent = z.infer<typeof shownEvent>;

export const exampleEvent = {
  id: 'evt_0190b6f5c7c84f0fa5b3d5e6f7a8b9c0',
  type: 'build.succeeded',
  timestamp: '2026-01-21T17:12:35.232Z',
  data: {
    ImageBuildId: 'build-a1b2c3d4e5f6g7h8',
    ImageBuildJobId: 'dlc-a1b2c3d4e5f6g7h8',
    WorkspaceId: '123456',
    UserId: '10000000000001',
    ImageName: 'torch-serving',
    ImageUri: 'registry.example.com/ml/torch-serving:v1',
    State: 'succeeded',
    Attempt: 1,
    Message: 'published sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
  },
} as const satisfies ShownEvent;
