import { type AccountEvent } from '@kiln/persistence';
import { type ShownEvent } from '@kiln/schemas';

/** An event as it looks everywhere. */
export const showEvent = ({ id, type, at, data }: Pick<AccountEvent, 'id' | 'type' | 'at' | 'data'>): ShownEvent => ({
  id: eventId(id),
  type,
  timestamp: at.toISOString(),
  data,
});

export const eventId = (id: number): string => `evt_${id}`;
