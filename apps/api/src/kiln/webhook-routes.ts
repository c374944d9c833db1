import {
  type Database,
  listDeliveries,
  listWebhooks,
  redeliver,
  type ShownDelivery,
  emitTestEvent,
  type Webhook,
} from '@kiln/persistence';
import { Fault } from '@kiln/domain';
import { webhookOperations } from '@kiln/contract';
import {
  createWebhook,
  deleteWebhook,
  type Directory,
  eventId,
  requireEnabledWebhook,
  requireWebhook,
  requireWorkspace,
  rotateWebhookSecret,
  updateWebhook,
  type WebhookDeps,
} from '@kiln/usecases';
import { type Route, route } from '../http/dialect.ts';
import { optional } from '../http/optional.ts';

/** Addresses that are told of an account's events. */
export function webhookRoutes({
  db,
  sealer,
  webhookRules: rules,
  directory,
}: {
  db: Database;
  sealer: WebhookDeps['sealer'];
  webhookRules: WebhookDeps['rules'];
  directory: Directory;
}): Route[] {
  return [
    route(webhookOperations.CreateWebhook, async ({ viewer, body, requestId }) => {
      const workspace =
        body.WorkspaceId === undefined
          ? undefined
          : await requireWorkspace(directory, viewer, { id: body.WorkspaceId }, 'WorkspaceId');
      const { id, secret } = await createWebhook(
        { db, sealer, rules },
        {
          accountId: viewer.accountId,
          url: body.Url,
          description: body.Description,
          types: body.Types,
          workspaceId: workspace?.id ?? null,
        },
      );
      return { body: { RequestId: requestId, WebhookId: id, Secret: secret.reveal() } };
    }),
    route(webhookOperations.ListWebhooks, async ({ viewer, requestId }) => {
      const found = await listWebhooks(db, viewer.accountId);
      return { body: { RequestId: requestId, Webhooks: found.map(showWebhook) } };
    }),
    route(webhookOperations.UpdateWebhook, async ({ viewer, params, body, requestId }) => {
      await updateWebhook({ db, rules }, viewer.accountId, params.WebhookId, {
        ...optional('url', body.Url),
        ...optional('description', body.Description),
        ...optional('types', body.Types),
        ...optional('enabled', body.Enabled),
      });
      return { body: { RequestId: requestId } };
    }),
    route(webhookOperations.DeleteWebhook, async ({ viewer, params, requestId }) => {
      await deleteWebhook(db, viewer.accountId, params.WebhookId);
      return { body: { RequestId: requestId } };
    }),
    route(webhookOperations.RotateWebhookSecret, async ({ viewer, params, requestId }) => {
      const { secret, oldUntil } = await rotateWebhookSecret({ db, sealer }, viewer.accountId, params.WebhookId);
      return {
        body: { RequestId: requestId, Secret: secret.reveal(), GmtOldSecretEndTime: oldUntil.toISOString() },
      };
    }),
    route(webhookOperations.TestWebhook, async ({ viewer, params, requestId }) => {
      const webhook = await requireEnabledWebhook(db, viewer.accountId, params.WebhookId);
      const id = await emitTestEvent(db, webhook, viewer.userId);
      return { body: { RequestId: requestId, EventId: eventId(id) } };
    }),
    route(webhookOperations.ListWebhookDeliveries, async ({ viewer, params, query, requestId }) => {
      const { id } = await requireWebhook(db, viewer.accountId, params.WebhookId);
      const found = await listDeliveries(db, id, { limit: query.Limit, ...optional('before', query.Before) });
      return { body: { RequestId: requestId, Deliveries: found.map(showDelivery) } };
    }),
    route(webhookOperations.RedeliverWebhook, async ({ viewer, params, requestId }) => {
      const { id } = await requireEnabledWebhook(db, viewer.accountId, params.WebhookId);
      const delivery = /^\d{1,15}$/.test(params.DeliveryId) ? Number(params.DeliveryId) : undefined;
      if (delivery === undefined || !(await redeliver(db, id, delivery)))
        throw new Fault('DeliveryNotFound', `webhook ${id} has no delivery ${params.DeliveryId}`);
      return { body: { RequestId: requestId } };
    }),
  ];
}

const showWebhook = (it: Webhook & { waiting: number }) => ({
  WebhookId: it.id,
  Url: it.url,
  Description: it.description,
  Types: it.types,
  ...optional('WorkspaceId', it.workspaceId),
  Enabled: it.enabled,
  ...optional('StoppedBecause', it.stoppedBecause || undefined),
  Waiting: it.waiting,
  ...optional('GmtFailingSinceTime', it.failingSince?.toISOString()),
  GmtCreateTime: it.createdAt.toISOString(),
});

const showDelivery = (it: ShownDelivery) => ({
  DeliveryId: String(it.id),
  EventId: eventId(it.eventKey),
  Type: it.type,
  State: it.state,
  GmtCreateTime: it.createdAt.toISOString(),
  ...optional('GmtNextTryTime', it.state === 'waiting' ? it.nextAt.toISOString() : undefined),
  Tries: it.log.map(({ at, ms, status, error }) => ({
    Time: new Date(at).toISOString(),
    Milliseconds: ms,
    ...optional('Status', status),
    ...optional('Error', error),
  })),
});
