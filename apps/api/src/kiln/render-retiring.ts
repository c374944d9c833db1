import type { Image } from '@kiln/persistence';

/** What becomes of an image that is on its way out, and when; undefined for others. */
export const renderRetiring = ({ retiring, retireAt }: Image) =>
  retiring && retireAt
    ? { Stage: retiring.stage, Reason: retiring.reason, GmtNextTime: retireAt.toISOString() }
    : undefined;
