import { type AccountEvent, seesAll } from '@kiln/persistence';
import { type EventCursor, formatEventCursor, parseEventCursor } from '@kiln/domain';
import { eventOperations } from '@kiln/contract';
import type { Caller } from '../callers/caller.ts';
import { type Directory, showEvent } from '@kiln/usecases';
import type { EventFeed, FeedPiece, WantedCursor } from '../live/event-feed.ts';
import { type Call, type Route, route } from '../http/dialect.ts';
import { acceptedStream, openStream, sseContentType, sseEvent } from '../live/stream.ts';
import { scopeOf } from '../pai/scope.ts';

type ListEventsCall = Call<typeof eventOperations.ListEvents>;
type Wanted = ListEventsCall['query'];

/**
 * A follow ends after this time, so that nobody reads on for long who may not any more; clients go on where they were.
 */
const followMs = 10 * 60_000;
/** Whoever takes nothing for this long is let go of. */
const stallMs = 30_000;
/** Events that one list looks at, to find those that were asked for. */
const lookedAtMax = 5000;

/** Tells the events that a caller may see and asked for. */
async function openFilter(
  directory: Directory,
  viewer: Caller,
  wanted: Wanted,
): Promise<(it: AccountEvent) => boolean> {
  const { workspaceIds } = await scopeOf(directory, viewer, wanted.WorkspaceId);
  const seen = new Set(workspaceIds);
  const types = new Set<string>(wanted.Types);
  return (it) =>
    (types.size === 0 || types.has(it.type) || types.has(`${it.type.split('.')[0]}.*`)) &&
    // A test of a webhook that is for all workspaces belongs to none.
    (seen.has(it.workspaceId) || (it.workspaceId === '' && wanted.WorkspaceId === undefined)) &&
    (seesAll(viewer) || it.visibility === 'PUBLIC' || it.userId === viewer.userId);
}

/** @param cursor what a client names; what none of ours is, is of elsewhere */
const wantedPlace = (cursor: string): WantedCursor =>
  cursor === 'start' || cursor === 'now' ? cursor : (parseEventCursor(cursor) ?? 'elsewhere');

/** What happened to the builds and images that a caller sees. */
export function eventRoutes({ eventFeed, directory }: { eventFeed: EventFeed; directory: Directory }): Route[] {
  /** Whoever comes or goes in the middle of it: each piece is looked at anew. */
  const fitting = async (events: AccountEvent[], viewer: Caller, query: Wanted): Promise<AccountEvent[]> =>
    events.filter(await openFilter(directory, viewer, query));

  const follow = async ({ viewer, query, headers, res }: ListEventsCall): Promise<undefined> => {
    const stream = openStream(res, sseContentType, () => heartbeat(cursor), { untilMs: followMs, stallMs });
    const wanted = wantedPlace(headers['last-event-id'] || (query.After ?? 'now'));
    const pieces = eventFeed.follow(viewer.accountId, wanted, stream.signal);
    let cursor: EventCursor | undefined;
    try {
      // What goes wrong before there is anything to tell is answered like everything else.
      let it = await pieces.next();
      stream.begin('retry: 1000\n\n');
      for (; !it.done; it = await pieces.next()) {
        const piece = it.value;
        const shown = piece.kind === 'start' ? piece : { ...piece, events: await fitting(piece.events, viewer, query) };
        const text = writeEvents(shown);
        // Not before: a heartbeat tells how far it has come.
        cursor = piece.cursor;
        await stream.send(text);
      }
    } finally {
      await pieces.return(undefined);
    }
    stream.end();
    return undefined;
  };

  return [
    route(eventOperations.ListEvents, async (call) => {
      const { viewer, query, headers, requestId } = call;
      await openFilter(directory, viewer, query);
      const format = query.Format ?? (acceptedStream(headers['accept']) === 'sse' ? 'sse' : 'json');
      if (format === 'sse' || query.Follow) return follow(call);
      const begun = await eventFeed.present(wantedPlace(query.After ?? 'start'));
      let { cursor } = begun;
      let more = true;
      const found: AccountEvent[] = [];
      for (let looked = 0; looked < lookedAtMax && found.length < query.Limit;) {
        const events = await eventFeed.read(viewer.accountId, cursor);
        more = events.length > 0;
        if (!more) break;
        looked += events.length;
        const fit = new Set(await fitting(events, viewer, query));
        for (const it of events) {
          if (found.length === query.Limit) break;
          cursor = it.cursor;
          if (fit.has(it)) found.push(it);
        }
      }
      return {
        body: {
          RequestId: requestId,
          Events: found.map(showEvent),
          NextCursor: formatEventCursor(cursor),
          More: more,
          ...(begun.reset ? { Reset: true } : {}),
        },
      };
    }),
  ];
}

/** What a part of the feed is as server-sent events. */
function writeEvents(it: FeedPiece): string {
  if (it.kind === 'start') {
    const cursor = formatEventCursor(it.cursor);
    return sseEvent(it.reset ? 'reset' : 'ready', { cursor }, cursor);
  }
  return it.events.map((event) => sseEvent(undefined, showEvent(event), formatEventCursor(event.cursor))).join('');
}

/** An id without data is no event; it moves the cursor past events that the client does not see. */
const heartbeat = (cursor: EventCursor | undefined): string =>
  cursor ? `id: ${formatEventCursor(cursor)}\n\n` : ': heartbeat\n\n';
