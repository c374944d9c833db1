import { z } from 'zod';
import { operation } from '../operation.ts';
import { required } from '../text.ts';

const requestId = { RequestId: z.string() };
const RequestId = '7B9EFB2C-0E2A-4F4F-8A3E-1B1C6E0F5A11';
const at = '2026-01-21T17:12:35.232Z';

const shownWorker = z
  .object({
    Name: z.string(),
    App: z.string(),
    Alive: z.boolean(),
    Draining: z.boolean().describe('it is on its way out'),
    Cordoned: z.boolean().describe('an operator wants it to take nothing new'),
    Slots: z.int(),
    Busy: z.int(),
    Pool: z.string(),
    GmtStartTime: z.iso.datetime(),
    GmtSeenTime: z.iso.datetime(),
    Engine: z.string().optional(),
    Jail: z.string().optional(),
    Enforces: z.array(z.string()).optional(),
    Missing: z.array(z.string()).optional(),
    DiskFreeBytes: z.int().optional(),
    DiskTotalBytes: z.int().optional(),
    WarmRooms: z.int().optional().describe('engines that wait for the next build of their account'),
    BusyRooms: z.int().optional().describe('engines in which something is built'),
    CacheBytes: z.int().optional().describe('what the caches of all accounts take of its disk'),
    Caches: z
      .array(z.object({ Account: z.string(), Bytes: z.int(), GmtUseTime: z.iso.datetime() }))
      .optional()
      .describe('the largest of them'),
  })
  .meta({ id: 'Worker' });

/** Who may call what is about the installation. */
export const operators = { role: 'operator', operates: true } as const;

/** Builders and registrars, for those who run the installation. */
export const workerOperations = {
  ListWorkers: operation({
    name: 'ListWorkers',
    api: 'Kiln',
    method: 'GET',
    path: '/api/v1/workers',
    summary: 'Shows the builders and registrars that were seen within a day',
    query: z.object({}),
    reply: z.object({ ...requestId, Workers: z.array(shownWorker) }),
    statuses: [200],
    errors: [],
    ...operators,
    example: {
      reply: {
        RequestId,
        Workers: [
          {
            Name: 'host-1-1234-abcd',
            App: 'builder',
            Alive: true,
            Draining: false,
            Cordoned: false,
            Slots: 2,
            Busy: 1,
            Pool: '',
            GmtStartTime: at,
            GmtSeenTime: at,
          },
        ],
      },
    },
  }),
  UpdateWorker: operation({
    name: 'UpdateWorker',
    api: 'Kiln',
    method: 'PUT',
    path: '/api/v1/workers/{Name}',
    summary: 'Has a builder take nothing new, while it ends what it has, or take work again',
    query: z.object({}),
    body: z.object({ Cordoned: z.boolean(required('must be true or false')) }, 'must be a JSON object'),
    reply: z.object(requestId),
    statuses: [200],
    errors: ['WorkerNotFound'],
    ...operators,
    example: { params: { Name: 'host-1-1234-abcd' }, body: { Cordoned: true }, reply: { RequestId } },
  }),
  RemoveCache: operation({
    name: 'RemoveCache',
    api: 'Kiln',
    method: 'DELETE',
    path: '/api/v1/workers/{Name}/caches/{Account}',
    summary: "Has a builder remove the cache of an account, once none of the account's builds uses it",
    query: z.object({}),
    reply: z.object(requestId),
    statuses: [200],
    errors: ['WorkerNotFound'],
    ...operators,
    example: { params: { Name: 'host-1-1234-abcd', Account: 'team-a' }, reply: { RequestId } },
  }),
};
