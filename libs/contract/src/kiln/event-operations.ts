import { z } from 'zod';
import { operation } from '../operation.ts';
import { oneOf, queryBoolean, queryInt } from '../text.ts';
import { eventCursorForm, eventKinds, eventTypes } from '@kiln/domain';
import { exampleEvent, shownEvent } from './events.ts';

export const wantedEvents = oneOf([...eventKinds, ...eventTypes]);

const typesList = z
  .string()
  .max(2000, 'must have at most 2000 characters')
  .transform((it) => it.split(',').filter(Boolean))
  .pipe(z.array(wantedEvents));

/** What happened to an account's builds and images, to be read or followed. */
export const eventOperations = {
  ListEvents: operation({
    name: 'ListEvents',
    api: 'Kiln',
    method: 'GET',
    path: '/api/v1/events',
    summary:
      'Shows what happened to the builds and images that the caller sees, in order; follows it as server-sent events',
    query: z.object({
      After: z
        .string()
        .regex(
          new RegExp(`^(?:start|now|${eventCursorForm})$`),
          'must be `start`, `now` or a cursor that came with an event or a list',
        )
        .optional()
        .describe('`start` for the oldest event that is kept, which is where lists begin; follows begin `now`'),
      Types: typesList.default([]).describe('types between commas; all of a kind are `build.*` or `image.*`'),
      WorkspaceId: z.string().max(64, 'must have at most 64 characters').optional(),
      Limit: queryInt(1, 500).default(100),
      Follow: queryBoolean.default(false),
      Format: oneOf(['json', 'sse']).optional(),
    }),
    reply: z.object({
      RequestId: z.string(),
      Events: z.array(shownEvent),
      NextCursor: z.string().describe('where to go on; what is not there yet will come after it'),
      More: z
        .boolean()
        .describe('whether there may be more now; one call looks at some thousand events and may find none that fit'),
      Reset: z.boolean().optional().describe('the cursor is gone, so that events may be missing before these'),
    }),
    statuses: [200],
    errors: ['WorkspaceNotFound'],
    role: 'viewer',
    stream: ['text/event-stream'],
    example: {
      query: { After: 'start', Types: 'build.*' },
      reply: {
        RequestId: '7B9EFB2C-0E2A-4F4F-8A3E-1B1C6E0F5A11',
        Events: [exampleEvent],
        NextCursor: 'b611c233-743-4711',
        More: false,
      },
    },
  }),
};
