import { type AccountEvent, type EventPlace, formatPlace, parsePlace, seesAll, startOfEvents } from '@kiln/persistence';
import { eventOperations } from '@kiln/schemas';
import { type Caller, type Directory, type EventFeed, type FeedPiece, showEvent } from '@kiln/services';
import { type Call, type Route, route } from '../http/dialect.ts';
import { openStream, sseEvent } from '../http/stream.ts';
import { scopeOf } from '../pai/scope.ts';

type Wanted = Call<typeof eventOperations.ListEvents>['query'];

/** A follow ends after this time, so that nobody reads on for long who may not any more; clients go on where they were. */
const followMs = 10 * 60_000;
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

const placeOf = (cursor: string | undefined): EventPlace | undefined =>
  cursor === undefined || cursor === 'now' ? undefined : cursor === 'start' ? startOfEvents : parsePlace(cursor);

/** What happened to the builds and images that a caller sees. */
export function eventRoutes({ eventFeed, directory }: { eventFeed: EventFeed; directory: Directory }): Route[] {
  return [
    route(eventOperations.ListEvents, async ({ viewer, query, headers, res, requestId }) => {
      const fits = await openFilter(directory, viewer, query);
      const accepted = /(ndjson|event-stream)/.exec(headers['accept'] ?? '')?.[1];
      const format = query.Format ?? (accepted === 'event-stream' ? 'sse' : accepted);
      const resumed = /^\d{1,19}-\d{1,15}$/.exec(headers['last-event-id'] ?? '')?.[0];
      if (format === 'sse' || format === 'ndjson' || query.Follow) {
        const writing = format === 'sse' ? sse : ndjson;
        const stream = openStream(res, writing.contentType, () => writing.heartbeat(place));
        let place: EventPlace | undefined = placeOf(resumed ?? query.After);
        const signal = AbortSignal.any([stream.signal, AbortSignal.timeout(followMs)]);
        const pieces = eventFeed.follow(viewer.accountId, place, signal);
        stream.begin(writing.head);
        for await (const it of pieces) {
          place = it.place;
          await stream.send(writing.piece(it.kind === 'events' ? { ...it, events: it.events.filter(fits) } : it));
        }
        stream.end();
        return undefined;
      }
      const wanted = await eventFeed.present(placeOf(query.After ?? 'start'));
      let { place } = wanted;
      const found: AccountEvent[] = [];
      for (let looked = 0; looked < lookedAtMax && found.length < query.Limit;) {
        const events = await eventFeed.read(viewer.accountId, place);
        if (events.length === 0) break;
        looked += events.length;
        for (const it of events) {
          if (found.length === query.Limit) break;
          place = it.place;
          if (fits(it)) found.push(it);
        }
      }
      return {
        body: {
          RequestId: requestId,
          Events: found.map(showEvent),
          NextCursor: formatPlace(place),
          ...(wanted.reset ? { Reset: true } : {}),
        },
      };
    }),
  ];
}

const sse = {
  contentType: 'text/event-stream; charset=utf-8',
  head: 'retry: 1000\n\n',
  // Without data it is no event, but moves the place to go on from: past those that the client does not see.
  heartbeat: (place: EventPlace | undefined): string => (place ? `id: ${formatPlace(place)}\n\n` : ': heartbeat\n\n'),
  piece(it: FeedPiece): string {
    if (it.kind === 'start') {
      const cursor = formatPlace(it.place);
      return sseEvent(it.reset ? 'reset' : 'ready', { cursor }, cursor);
    }
    return it.events.map((event) => sseEvent(undefined, showEvent(event), formatPlace(event.place))).join('');
  },
};

const ndjson = {
  contentType: 'application/x-ndjson; charset=utf-8',
  head: '',
  heartbeat: (): string => '',
  piece(it: FeedPiece): string {
    if (it.kind === 'start')
      return `${JSON.stringify({ [it.reset ? 'reset' : 'ready']: { cursor: formatPlace(it.place) } })}\n`;
    return it.events
      .map((event) => `${JSON.stringify({ cursor: formatPlace(event.place), ...showEvent(event) })}\n`)
      .join('');
  },
};
