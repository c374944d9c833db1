import type { Sealer } from '@kiln/auth';
import { crashPoint, type Logger, metrics, retryAfterMs, type PollLoop, openPollLoop } from '@kiln/kit';
import {
  type Database,
  type DeliveryTry,
  eventsAtOnce,
  giveUpStopped,
  planDeliveries,
  settleDelivery,
  takeDeliveries,
  type TakenDelivery,
  type Tried,
} from '@kiln/persistence';
import type { SignalBus } from '@kiln/queue';
import type { AddressRules, GuardedPost, PostAnswer } from '@kiln/registry';
import { Fault } from '@kiln/domain';
import { checkWebhookUrl, showEvent, webhookSecrets } from '@kiln/usecases';
import { onChanges } from '@kiln/worker';
import { Webhook } from 'standardwebhooks';

export interface WebhookSender {
  /** Asks for a look at events, and at deliveries if some are due. */
  wake(deliveriesDue: boolean): void;
  close: () => Promise<void>;
}

export interface WebhookSenderDeps {
  db: Database;
  sealer: Sealer;
  signals: SignalBus;
  outgoing: GuardedPost;
  /** Where webhooks may go. */
  rules: AddressRules;
  log: Logger;
}

/** Deliveries are looked at no more often than this while they are due, and than this while none is known to be. */
const intervalsMs = { due: 500, otherwise: 10_000 };
/** A build changes many times in a moment: what comes within this time is looked at together. */
const gatherMs = 50;
const atOnce = { all: 32, account: 8, webhook: 4 };
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
function afterTry(failures: number, answer: PostAnswer | Error): Tried {
  const status = answer instanceof Error ? undefined : answer.status;
  if (status !== undefined && status >= 200 && status < 300) return { outcome: 'delivered' };
  if (status === 410) return { outcome: 'failed', stop: 'the address answered 410: it is gone for good' };
  const pause = pausesMs[failures];
  if (pause === undefined) return { outcome: 'failed' };
  const wanted = Math.max(
    pause,
    answer instanceof Error ? 0 : Math.min(retryAfterMs(answer.retryAfter), retryAfterMaxMs),
  );
  // Up to a tenth later, so that what failed together does not come back together.
  return { outcome: 'again', afterMs: Math.round(wanted * (1 + Math.random() / 10)) };
}

const codeOf = (error: unknown): string => {
  const { code, message, cause } = error as { code?: string; message?: string; cause?: unknown };
  return code ?? (cause === undefined ? (message ?? String(error)) : codeOf(cause));
};

/** What an account may read of it: not what its names lead to inside the network. */
const explain = (error: Error): string =>
  error instanceof Fault
    ? 'it is no address that Kiln sends to; an operator can open it (KILN_WEBHOOK_OPEN_ADDRESSES)'
    : error.name === 'TimeoutError'
      ? `no answer within ${timeoutMs / second} s`
      : `it cannot be reached (${codeOf(error)})`;

/** How many there are of each. */
class Counts extends Map<string, number> {
  add(key: string, n: 1 | -1): void {
    const now = (this.get(key) ?? 0) + n;
    if (now > 0) this.set(key, now);
    else this.delete(key);
  }
}

/**
 * Tells webhooks of events: makes a delivery of each event for each webhook that wants it, and tries those that are
 * due. Every registrar does so; PostgreSQL gives each delivery to one of them. A registrar that dies in between leaves
 * its deliveries to the others, so that one may come twice, with the same id.
 */
export function openWebhookSender({ db, sealer, signals, outgoing, rules, log }: WebhookSenderDeps): WebhookSender {
  const webhooks = new Counts();
  const accounts = new Counts();
  const working = new Set<Promise<void>>();
  let loop: PollLoop | undefined = undefined;
  let looked = -Infinity;
  /** Some deliveries may be due. */
  let anyDue = false;

  /** What a delivery sends; a secret that cannot be opened is this side's trouble, and no failed try. */
  const write = (it: TakenDelivery): { headers: Record<string, string>; body: string } => {
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
    return { headers, body };
  };

  const send = async (url: string, { headers, body }: ReturnType<typeof write>): Promise<PostAnswer | Error> => {
    try {
      checkWebhookUrl(rules, url);
      return await outgoing.post(url, headers, body, timeoutMs);
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error));
    }
  };

  const deliver = async (it: TakenDelivery): Promise<void> => {
    const written = write(it);
    const begun = performance.now();
    const at = new Date().toISOString();
    const answer = await send(it.webhook.url, written);
    crashPoint('webhook-sent');
    const tried = afterTry(it.failures, answer);
    const ms = Math.round(performance.now() - begun);
    const failed = answer instanceof Error;
    const record: DeliveryTry = { at, ms, ...(failed ? { error: explain(answer) } : { status: answer.status }) };
    metrics.webhookTries.inc({ outcome: tried.outcome });
    const why = failed ? { err: answer } : { status: answer.status };
    log.debug({ webhook: it.webhook.id, delivery: it.id, ms, outcome: tried.outcome, ...why }, 'webhook tried');
    await settleDelivery(db, it, record, tried);
  };

  const start = (it: TakenDelivery): void => {
    const { id, accountId } = it.webhook;
    webhooks.add(id, 1);
    accounts.add(accountId, 1);
    const work = deliver(it)
      .catch((error: unknown) => log.error({ err: error, delivery: it.id }, 'webhook delivery left for later'))
      .finally(() => {
        webhooks.add(id, -1);
        accounts.add(accountId, -1);
        working.delete(work);
        looked = -Infinity;
        loop?.wake();
      });
    working.add(work);
  };

  const pass = async (): Promise<number> => {
    const planned = await planDeliveries(db);
    // Most events are of accounts without webhooks.
    const pause = anyDue ? intervalsMs.due : intervalsMs.otherwise;
    if (planned.made === 0 && performance.now() - looked < pause) return planned.looked;
    looked = performance.now();
    anyDue = false;
    const given = await giveUpStopped(db);
    if (working.size >= atOnce.all) return planned.looked + given;
    const taken = await takeDeliveries(db, atOnce, { all: working.size, accounts, webhooks }, patienceSeconds);
    for (const it of taken) start(it);
    return planned.looked + given + taken.length;
  };
  loop = openPollLoop('webhooks', pass, log, eventsAtOnce);
  let gathering: NodeJS.Timeout | undefined;
  const unsubscribe = onChanges(signals, () => {
    gathering ??= setTimeout(() => {
      gathering = undefined;
      loop.wake();
    }, gatherMs);
  });
  return {
    wake(deliveriesDue) {
      anyDue ||= deliveriesDue;
      loop.wake();
    },
    async close() {
      unsubscribe();
      clearTimeout(gathering);
      await loop.close();
      await Promise.all(working);
    },
  };
}
