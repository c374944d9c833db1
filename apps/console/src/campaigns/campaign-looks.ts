import type { CampaignImage, CampaignSummary } from '../api/replies.ts';

/** How a campaign's state is shown. */
export const stateLooks = {
  planned: { tone: 'quiet', label: 'Planned' },
  running: { tone: 'busy', label: 'Running' },
  paused: { tone: 'warn', label: 'Paused' },
  stopped: { tone: 'bad', label: 'Stopped' },
  done: { tone: 'good', label: 'Done' },
  cancelled: { tone: 'quiet', label: 'Cancelled' },
} as const satisfies Record<CampaignSummary['State'], unknown>;

/** How what has become of an image is shown. */
export const outcomeLooks = {
  waiting: { tone: 'quiet', label: 'Waiting' },
  building: { tone: 'busy', label: 'Building' },
  succeeded: { tone: 'good', label: 'Built' },
  failed: { tone: 'bad', label: 'Failed' },
  skipped: { tone: 'warn', label: 'Left out' },
} as const satisfies Record<CampaignImage['Outcome'], unknown>;

export const titleOf = ({ Title, CampaignId }: CampaignSummary): string => (Title === '' ? CampaignId : Title);
export const imagesOf = ({ Counts }: CampaignSummary): number => Object.values(Counts).reduce((sum, it) => sum + it, 0);

/** So many are built first, and all of them have to succeed. */
export const canariesOf = (campaign: CampaignSummary): number =>
  Math.max(1, Math.ceil((imagesOf(campaign) * campaign.CanaryPercent) / 100));

/** What is built first, for a campaign of several images. */
export const startOf = (campaign: CampaignSummary): string => {
  const first = canariesOf(campaign);
  return `${first === 1 ? 'The first has' : `The first ${first} have`} to succeed before the others are built.`;
};

export const hasEnded = ({ State }: CampaignSummary): boolean => State === 'done' || State === 'cancelled';
