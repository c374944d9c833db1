/** A position in the order of events: by transaction, then by id. Events after it have not been read. */
export interface EventCursor {
  /** The server that numbered the transaction; it changes after a restore, a promotion or a move to another server. */
  epoch: string;
  /** Transaction id, in decimal. */
  xact: string;
  id: number;
}

/** What a cursor looks like: epoch, transaction, id. */
export const eventCursorForm = '[0-9a-f]{8}-\\d{1,19}-\\d{1,15}';
const whole = new RegExp(`^${eventCursorForm}$`);

export const formatEventCursor = ({ epoch, xact, id }: EventCursor): string => `${epoch}-${xact}-${id}`;

/** @returns undefined when `formatEventCursor` cannot have made it */
export function parseEventCursor(cursor: string): EventCursor | undefined {
  if (!whole.test(cursor)) return undefined;
  const [epoch = '', xact = '', id = ''] = cursor.split('-');
  return { epoch, xact, id: Number(id) };
}
