import { z } from 'zod';
import { operation } from '../operation.ts';
import { roles } from '@kiln/domain';
import { text } from '../text.ts';

const shownSession = z
  .object({
    RequestId: z.string(),
    Account: z.string(),
    AccountId: z.string(),
    User: z.string(),
    UserId: z.string(),
    Role: z.enum(roles),
    Operates: z.boolean().describe('whether the user sees the whole installation: its workers and queues'),
    CsrfToken: z
      .string()
      .optional()
      .describe('to be sent as kiln-csrf with whatever changes something; absent without a session'),
    Workspaces: z.array(z.object({ WorkspaceId: z.string(), Name: z.string() })),
    Registries: z.array(z.object({ InstanceId: z.string(), Host: z.string() })),
  })
  .meta({ id: 'Session' });

const example = {
  RequestId: '7B9EFB2C-0E2A-4F4F-8A3E-1B1C6E0F5A11',
  Account: 'team-a',
  AccountId: '10000000000000',
  User: 'admin',
  UserId: '10000000000001',
  Role: 'admin',
  Operates: true,
  CsrfToken: '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
  Workspaces: [{ WorkspaceId: '123456', Name: 'default' }],
  Registries: [{ InstanceId: 'cri-local', Host: 'registry.example.com' }],
};

/** How a browser signs in: with a token, for a cookie that no script can read. */
export const sessionOperations = {
  CreateSession: operation({
    name: 'CreateSession',
    api: 'Kiln',
    method: 'POST',
    path: '/api/v1/session',
    summary: 'Begins a session of a browser, for 12 hours: gives a cookie for a token',
    query: z.object({}),
    body: z.object({ Token: text(512) }, 'must be a JSON object'),
    reply: shownSession,
    statuses: [200],
    errors: ['InvalidToken'],
    anonymous: true,
    example: { body: { Token: 'kiln_your-token' }, reply: example },
  }),
  GetSession: operation({
    name: 'GetSession',
    api: 'Kiln',
    method: 'GET',
    path: '/api/v1/session',
    summary: 'Tells who asks, and what they may use',
    query: z.object({}),
    reply: shownSession,
    statuses: [200],
    errors: [],
    free: true,
    example: { reply: example },
  }),
  DeleteSession: operation({
    name: 'DeleteSession',
    api: 'Kiln',
    method: 'DELETE',
    path: '/api/v1/session',
    summary: 'Ends the session of a browser',
    query: z.object({}),
    reply: z.object({ RequestId: z.string() }),
    statuses: [200],
    errors: ['InvalidParameter'],
    free: true,
    example: { reply: { RequestId: example.RequestId } },
  }),
};
