import { z } from 'zod';
import { operation } from '../operation.ts';
import { idText, queryInt, text } from '../text.ts';
import { wantedEvents } from './event-operations.ts';
import { eventTypes } from '@kiln/domain';

const requestId = { RequestId: z.string() };
const RequestId = '7B9EFB2C-0E2A-4F4F-8A3E-1B1C6E0F5A11';
const at = '2026-01-21T17:12:35.232Z';
const WebhookId = 'wh-a1b2c3d4e5f6g7h8i9';
const admins = { role: 'admin' } as const;

/** Where events are sent; whether that address may be reached is asked where it is known. */
const webhookUrl = text(2048, 1).refine((it) => {
  const url = URL.parse(it);
  return (
    url !== null && /^https?:$/.test(url.protocol) && url.username === '' && url.password === '' && url.hash === ''
  );
}, 'must be an https address without user, password or fragment');

const webhookFields = {
  Url: webhookUrl,
  Description: text(256).default(''),
  Types: z
    .array(wantedEvents, 'must be a list of event types')
    .max(eventTypes.length, 'has more entries than there are types')
    .default([])
    .describe('what it is told; all of a kind are `build.*` or `image.*`, and none stands for everything'),
  WorkspaceId: idText(64).optional().describe('events of this workspace only'),
};

const shownWebhook = z
  .object({
    WebhookId: z.string(),
    Url: z.string(),
    Description: z.string(),
    Types: z.array(z.string()),
    WorkspaceId: z.string().optional(),
    Enabled: z.boolean(),
    StoppedBecause: z.string().optional().describe('why Kiln has stopped using it by itself'),
    Waiting: z.int().describe('deliveries that are still to be made, of which at most 1000 are counted'),
    GmtFailingSinceTime: z.iso.datetime().optional().describe('since when nothing has come through'),
    GmtCreateTime: z.iso.datetime(),
  })
  .meta({ id: 'Webhook' });

const exampleWebhook = {
  WebhookId,
  Url: 'https://ci.example.com/kiln',
  Description: 'deploys what was built',
  Types: ['build.succeeded'],
  Enabled: true,
  Waiting: 0,
  GmtCreateTime: at,
};

const shownDelivery = z
  .object({
    DeliveryId: z.string(),
    EventId: z.string(),
    Type: z.string(),
    State: z.enum(['waiting', 'delivered', 'failed']),
    GmtCreateTime: z.iso.datetime(),
    GmtNextTryTime: z.iso.datetime().optional(),
    Tries: z.array(
      z.object({
        Time: z.iso.datetime(),
        Milliseconds: z.int(),
        Status: z.int().optional().describe('what the address answered'),
        Error: z.string().optional(),
      }),
    ),
  })
  .meta({ id: 'WebhookDelivery' });

const exampleDelivery = {
  DeliveryId: '4711',
  EventId: 'evt_0190b6f5c7c84f0fa5b3d5e6f7a8b9c0',
  Type: 'build.succeeded',
  State: 'delivered',
  GmtCreateTime: at,
  Tries: [{ Time: at, Milliseconds: 35, Status: 204 }],
};

const deliveryId = z
  .string()
  .regex(/^\d{1,15}$/, 'must be the id of a delivery')
  .transform(Number);

const secret = z.string().describe('`whsec_…`: signs what is sent; shown this once');
const exampleSecret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const params = { WebhookId };

/** Addresses that are told of an account's events, signed as Standard Webhooks has it. */
export const webhookOperations = {
  CreateWebhook: operation({
    name: 'CreateWebhook',
    makes: 'WebhookId',
    api: 'Kiln',
    method: 'POST',
    path: '/api/v1/webhooks',
    summary: 'Has events of the account sent to an address',
    query: z.object({}),
    body: z.object(webhookFields, 'must be a JSON object'),
    guarded: ['WorkspaceId', 'Types'],
    reply: z.object({ ...requestId, WebhookId: z.string(), Secret: secret }),
    statuses: [200],
    errors: ['WorkspaceNotFound', 'AddressNotAllowed', 'TooManyWebhooks'],
    ...admins,
    example: {
      body: { Url: exampleWebhook.Url, Description: exampleWebhook.Description, Types: exampleWebhook.Types },
      reply: { RequestId, WebhookId, Secret: exampleSecret },
    },
  }),
  ListWebhooks: operation({
    name: 'ListWebhooks',
    api: 'Kiln',
    method: 'GET',
    path: '/api/v1/webhooks',
    summary: "Shows the account's webhooks",
    query: z.object({}),
    reply: z.object({ ...requestId, Webhooks: z.array(shownWebhook) }),
    statuses: [200],
    errors: [],
    ...admins,
    example: { reply: { RequestId, Webhooks: [exampleWebhook] } },
  }),
  UpdateWebhook: operation({
    name: 'UpdateWebhook',
    api: 'Kiln',
    method: 'PUT',
    path: '/api/v1/webhooks/{WebhookId}',
    summary: 'Changes a webhook: what is not named stays as it is',
    query: z.object({}),
    body: z.object(
      {
        Url: webhookUrl.optional(),
        Description: text(256).optional(),
        Types: webhookFields.Types.unwrap().optional(),
        Enabled: z.boolean('must be true or false').optional(),
      },
      'must be a JSON object',
    ),
    reply: z.object(requestId),
    statuses: [200],
    errors: ['WebhookNotFound', 'AddressNotAllowed'],
    ...admins,
    example: { params, body: { Enabled: false }, reply: { RequestId } },
  }),
  DeleteWebhook: operation({
    name: 'DeleteWebhook',
    api: 'Kiln',
    method: 'DELETE',
    path: '/api/v1/webhooks/{WebhookId}',
    summary: 'Removes a webhook with its deliveries; what waits is not sent any more',
    query: z.object({}),
    reply: z.object(requestId),
    statuses: [200],
    errors: ['WebhookNotFound'],
    ...admins,
    example: { params, reply: { RequestId } },
  }),
  RotateWebhookSecret: operation({
    name: 'RotateWebhookSecret',
    api: 'Kiln',
    method: 'POST',
    path: '/api/v1/webhooks/{WebhookId}/rotate-secret',
    summary: 'Gives a webhook a new secret; the old one signs too for another 24 hours',
    query: z.object({}),
    reply: z.object({ ...requestId, Secret: secret, GmtOldSecretEndTime: z.iso.datetime() }),
    statuses: [200],
    errors: ['WebhookNotFound'],
    ...admins,
    example: { params, reply: { RequestId, Secret: exampleSecret, GmtOldSecretEndTime: at } },
  }),
  TestWebhook: operation({
    name: 'TestWebhook',
    api: 'Kiln',
    method: 'POST',
    path: '/api/v1/webhooks/{WebhookId}/test',
    summary: 'Sends a webhook an event of type webhook.test, the way that all others go',
    query: z.object({}),
    reply: z.object({ ...requestId, EventId: z.string() }),
    statuses: [200],
    errors: ['WebhookNotFound', 'WebhookDisabled'],
    ...admins,
    example: { params, reply: { RequestId, EventId: 'evt_0190b6f5c7c84f0fa5b3d5e6f7a8b9c0' } },
  }),
  ListWebhookDeliveries: operation({
    name: 'ListWebhookDeliveries',
    api: 'Kiln',
    method: 'GET',
    path: '/api/v1/webhooks/{WebhookId}/deliveries',
    summary: "Shows a webhook's deliveries with every try, newest first",
    query: z.object({
      Before: deliveryId.optional().describe('deliveries before this one'),
      Limit: queryInt(1, 200).default(50),
    }),
    reply: z.object({ ...requestId, Deliveries: z.array(shownDelivery) }),
    statuses: [200],
    errors: ['WebhookNotFound'],
    ...admins,
    example: { params, reply: { RequestId, Deliveries: [exampleDelivery] } },
  }),
  RedeliverWebhook: operation({
    name: 'RedeliverWebhook',
    api: 'Kiln',
    method: 'POST',
    path: '/api/v1/webhooks/{WebhookId}/deliveries/{DeliveryId}/redeliver',
    summary: 'Sends an event again, with the same id',
    query: z.object({}),
    reply: z.object(requestId),
    statuses: [200],
    errors: ['WebhookNotFound', 'DeliveryNotFound', 'WebhookDisabled'],
    ...admins,
    example: { params: { WebhookId, DeliveryId: exampleDelivery.DeliveryId }, reply: { RequestId } },
  }),
};
