import { type Sealer } from '@kiln/auth';
import { crashPoint, type Logger, metrics } from '@kiln/kit';
import {
  type Database,
  type DeliveryTry,
  planDeliveries,
  settleDelivery,
  takeDeliveries,
  type TakenDelivery,
  type Tried,
} from '@kiln/persistence';
import { type NudgedLoop, openNudgedLoop, type SignalBus } from '@kiln/queue';
import { type GuardedPost, type PostAnswer } from '@kiln/registry';
import { everyone, Fault } from '@kiln/schemas';
import { showEvent, webhookSecrets } from '@kiln/services';
import { Webhook } from 'standardwebhooks';

export interface WebhookSender {
  close: () => Promise<void>;
}

export interface WebhookSenderDeps {
  db: Database;
  sealer: Sealer;
  signals: SignalBus;
  outgoing: GuardedPost;
  log: Logger;
}

/** How often events and deliveries are looked at when nobody nudges. */
const intervalMs = 500;
/** Deliveries under way at once, in all and of one webhook: one that hangs does not hold up the others. */
const atOnce = { all: 32, each: 4 };
const timeoutMs = 10_000;
/** After this time a delivery's sender counts as dead. */
const patienceSeconds = 30;

const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;
/** Times between one try and the next: nine tries within a day. */
const pausesMs = [5 * second, 30 * second, 2 * minute, 10 * minute, 30 * minute, 2 * hour, 6 * hour, 15 * hour];
const retryAfterMaxMs = hour;

/** What to do after a try, by what the address answered. */
export function afterTry(failures: number, answer: PostAnswer | Fault | Error): Tried {
  if ('status' in answer && answer.status >= 200 && answer.status < 300) return { outcome: 'delivered' };
  if ('status' in answer && answer.status === 410)
    return { outcome: 'failed', stop: 'the address answered 410: it is gone for good' };
  const pause = pausesMs[failures];
  if (pause === undefined) return { outcome: 'failed' };
  const asked = 'status' in answer ? Number(answer.retryAfter) * second : NaN;
  const wanted = Number.isFinite(asked) ? Math.max(pause, Math.min(asked, retryAfterMaxMs)) : pause;
  // Up to a tenth later, so that what failed together does not come back together.
  return { outcome: 'again', afterMs: Math.round(wanted * (1 + Math.random() / 10)) };
}

const codeOf = (error: unknown): string => {
  const { code, message, cause } = error as { code?: string; message?: string; cause?: unknown };
  return code ?? (cause === undefined ? (message ?? String(error)) : codeOf(cause));
};

const explain = (error: Error): string =>
  error instanceof Fault
    ? error.message
    : error.name === 'TimeoutError'
      ? `no answer within ${timeoutMs / second} s`
      : `it cannot be reached (${codeOf(error)})`;

/**
 * Tells webhooks of events: makes a delivery of each event for each webhook that wants it, and tries those that are due. Every registrar
 * does so; PostgreSQL gives each delivery to one of them. A registrar that dies in between leaves its deliveries to the others, so that
 * one may come twice, with the same id.
 */
export function openWebhookSender({ db, sealer, signals, outgoing, log }: WebhookSenderDeps): WebhookSender {
  const underWay = new Map<string, number>();
  const working = new Set<Promise<void>>();
  let loop: NudgedLoop | undefined = undefined;

  const send = async (it: TakenDelivery): Promise<PostAnswer> => {
    const event = showEvent(it.event);
    const body = JSON.stringify(event);
    const at = new Date();
    const signatures = webhookSecrets(sealer, it.webhook).map((secret) =>
      new Webhook(secret.reveal()).sign(event.id, at, body),
    );
    const headers = {
      'content-type': 'application/json',
      'webhook-id': event.id,
      'webhook-timestamp': String(Math.floor(at.getTime() / second)),
      'webhook-signature': signatures.join(' '),
    };
    return outgoing.post(it.webhook.url, headers, body, timeoutMs);
  };

  const deliver = async (it: TakenDelivery): Promise<void> => {
    const begun = performance.now();
    const at = new Date().toISOString();
    const answer = await send(it).catch((error: unknown) =>
      error instanceof Error ? error : new Error(String(error)),
    );
    crashPoint('webhook-sent');
    const tried = afterTry(it.failures, answer);
    const ms = Math.round(performance.now() - begun);
    const record: DeliveryTry = {
      at,
      ms,
      ...('status' in answer ? { status: answer.status } : { error: explain(answer) }),
    };
    metrics.webhookTries.inc({ outcome: tried.outcome });
    log.debug({ webhook: it.webhook.id, delivery: it.id, ...record, outcome: tried.outcome }, 'webhook tried');
    await settleDelivery(db, it, record, tried);
  };

  const start = (it: TakenDelivery): void => {
    const { id } = it.webhook;
    underWay.set(id, (underWay.get(id) ?? 0) + 1);
    const work = deliver(it)
      .catch((error: unknown) =>
        log.warn({ err: error, delivery: it.id }, 'webhook delivery not recorded; tried again'),
      )
      .finally(() => {
        const left = (underWay.get(id) ?? 1) - 1;
        if (left > 0) underWay.set(id, left);
        else underWay.delete(id);
        working.delete(work);
        loop?.nudge();
      });
    working.add(work);
  };

  const pass = async (): Promise<number> => {
    const planned = await planDeliveries(db);
    const free = atOnce.all - working.size;
    if (free <= 0) return planned;
    const busy = [...underWay].filter(([, n]) => n >= atOnce.each).map(([id]) => id);
    const taken = await takeDeliveries(db, { all: free, each: atOnce.each }, busy, patienceSeconds);
    for (const it of taken) start(it);
    return planned + taken.length;
  };
  loop = openNudgedLoop('webhooks', pass, intervalMs, log);
  const nudge = () => loop.nudge();
  const listening = (['progress', 'registered', 'dispatch'] as const).map((it) => signals.on(it, everyone, nudge));
  return {
    async close() {
      for (const silence of listening) silence();
      await loop.close();
      await Promise.all(working);
    },
  };
}
