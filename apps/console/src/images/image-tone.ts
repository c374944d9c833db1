import type { Image } from '../api/replies.ts';

const tones = {
  INIT: { tone: 'quiet', label: 'New' },
  CREATING: { tone: 'busy', label: 'Being verified' },
  ACTIVE: { tone: 'good', label: 'Verified' },
  CREATE_FAILED: { tone: 'bad', label: 'Refused' },
  ERROR: { tone: 'bad', label: 'Error' },
  DELETED: { tone: 'quiet', label: 'Deleted' },
} as const;

/** How an image's status is shown. */
export const imageTone = (status: Image['Status']) => tones[status];
