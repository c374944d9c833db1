import { buildStates } from '../builds/build-states.ts';
import { campaignStates } from '../campaigns/campaign.ts';
import { retiringStages } from '../retention/retention.ts';
import { imageStatuses } from '../images/image-status.ts';

/**
 * What can happen: a build or an image is now in a state; an image was held against its workspace's policy, differs from
 * what its registry holds, or no longer does; a newer image of one of its bases has come; it is on its way out of the
 * catalogue, or no longer; a campaign is now in a state.
 * `webhook.test` is what somebody asked to be sent.
 */
export const eventTypes = [
  ...buildStates.map((it) => `build.${it}` as const),
  ...imageStatuses.map((it) => `image.${it.toLowerCase() as Lowercase<typeof it>}` as const),
  'image.checked',
  'image.drifted',
  'image.stale',
  ...retiringStages.map((it) => `image.${it}` as const),
  'image.restored',
  ...campaignStates.map((it) => `campaign.${it}` as const),
  'webhook.test',
] as const;
export type EventType = (typeof eventTypes)[number];
/** Kinds of events, for those who want all of one. */
export const eventKinds = ['build.*', 'image.*', 'campaign.*'] as const;
