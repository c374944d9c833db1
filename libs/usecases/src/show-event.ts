import { type AccountEvent } from '@kiln/persistence';
import { type ShownEvent } from '@kiln/contract';

/** An event as it looks everywhere. */
export const showEvent = ({ key, type, at, data }: Pick<AccountEvent, 'key' | 'type' | 'at' | 'data'>): ShownEvent => ({
  id: eventId(key),
  type,
  timestamp: at.toISOString(),
  data,
});

export const eventId = (key: string): string => `evt_${key.replaceAll('-', '')}`;
