import type { BuildError } from '../builds/build-error.ts';
import type { BuildState } from '../builds/build-states.ts';
import type { CampaignOutcome, CampaignState } from '../campaigns/campaign.ts';
import type { ImageCheck } from '../policies/judge.ts';
import type { ImageDrift } from '../images/drift.ts';
import type { ImageStatus } from '../images/image-status.ts';
import type { Reference } from '../images/reference.ts';

/** What happened to a build. */
export interface BuildEventData extends Reference {
  kind: 'build';
  buildId: string;
  jobId: string;
  workspaceId: string;
  userId: string;
  imageName: string;
  state: BuildState;
  attempt: number;
  message: string;
  /** Of the image that it made, once that is in the catalogue. */
  paiImageId?: string;
  digest?: string;
  sizeBytes?: number;
  error?: Pick<BuildError, 'code' | 'class' | 'message' | 'reason'>;
}

/** What happened to an image. */
export interface ImageEventData extends Reference {
  kind: 'image';
  imageId: string;
  /** Its id in PAI's calls. */
  paiImageId: string;
  workspaceId: string;
  userId: string;
  name: string;
  status: ImageStatus;
  statusMessage: string;
  digest?: string;
  sizeBytes?: number;
  buildId?: string;
  /** How it did by the policy of its workspace. */
  check?: ImageCheck;
  /** How it differs from what its registry holds. */
  drift?: ImageDrift;
}

/** Somebody tries whether a webhook comes through. */
export interface TestEventData {
  kind: 'webhook';
  webhookId: string;
}

/** What happened to a campaign. */
export interface CampaignEventData {
  kind: 'campaign';
  campaignId: string;
  workspaceId: string;
  userId: string;
  title: string;
  state: CampaignState;
  /** Why it stopped by itself, or why it waits. */
  reason: string;
  /** How many of its images are so; an outcome that none has is not there. */
  counts?: Partial<Record<CampaignOutcome, number>>;
}

/** What happened, as it is stored; `showEvent` renders it. */
export type EventData = BuildEventData | ImageEventData | CampaignEventData | TestEventData;
