import { randomBytes } from 'node:crypto';
import { isIP } from 'node:net';
import type { Sealer } from '@kiln/auth';
import { randomSuffix, Secret } from '@kiln/kit';
import {
  changeWebhook,
  type Database,
  findWebhook,
  inTransaction,
  insertWebhook,
  removeWebhook,
  replaceWebhookSecret,
  type Webhook,
} from '@kiln/persistence';
import { addressRefused, type AddressRules, openAddressRules, placeOf } from '@kiln/registry';
import { bindingOf, Fault } from '@kiln/domain';

const webhooksMax = 20;
const oldSecretMs = 24 * 3600 * 1000;

export interface WebhookDeps {
  db: Database;
  sealer: Sealer;
  /** Where webhooks may go. */
  rules: AddressRules;
}

/** @param opened what the operator opens for webhooks */
export const openWebhookRules = (opened: readonly string[]): AddressRules =>
  openAddressRules(opened, 'KILN_WEBHOOK_OPEN_ADDRESSES');

/** As Standard Webhooks writes secrets. */
const newSecret = (): Secret => new Secret(`whsec_${randomBytes(32).toString('base64')}`);

/** Every secret that a delivery is signed with now, the newest first. */
export const webhookSecrets = (
  sealer: Sealer,
  webhook: Pick<Webhook, 'id' | 'secretSealed' | 'oldSecretSealed' | 'oldSecretUntil'>,
): Secret[] => {
  const { secretSealed, oldSecretSealed, oldSecretUntil } = webhook;
  const old = oldSecretUntil !== null && oldSecretUntil.getTime() > Date.now() ? oldSecretSealed : null;
  return [secretSealed, old].flatMap((it) => (it === null ? [] : [sealer.open(it, bindingOf('webhook', webhook.id))]));
};

/**
 * Refuses what no delivery may reach, as far as the address itself says so; what a name resolves to is looked at with
 * each connection.
 * @throws Fault InvalidParameter, AddressNotAllowed
 */
export function checkWebhookUrl(rules: AddressRules, url: string): void {
  const parsed = new URL(url);
  const { protocol } = parsed;
  const { host, port } = placeOf(parsed);
  const opened = rules.isOpened(host, port);
  if (protocol === 'http:' && !opened)
    throw new Fault(
      'InvalidParameter',
      `Url: must be an https address; an operator can open ${host} (${rules.setting})`,
      {
        field: 'Url',
      },
    );
  if (isIP(host) !== 0 && !opened && !rules.mayReach(host)) throw addressRefused(rules, host);
}

const missing = (id: string) => new Fault('WebhookNotFound', `there is no webhook ${id}`);

/** @throws Fault WebhookNotFound */
export async function requireWebhook(db: Database, accountId: string, id: string): Promise<Webhook> {
  const webhook = await findWebhook(db, accountId, id);
  if (!webhook) throw missing(id);
  return webhook;
}

/** @throws Fault WebhookNotFound, WebhookDisabled */
export async function requireEnabledWebhook(db: Database, accountId: string, id: string): Promise<Webhook> {
  const webhook = await requireWebhook(db, accountId, id);
  if (!webhook.enabled) throw new Fault('WebhookDisabled', `webhook ${id} is not enabled; enable it first`);
  return webhook;
}

/**
 * Adds a webhook.
 * @returns its id, and the secret that its deliveries are signed with, which is shown nowhere else
 * @throws Fault InvalidParameter, AddressNotAllowed, TooManyWebhooks
 */
export async function createWebhook(
  { db, sealer, rules }: WebhookDeps,
  wanted: Pick<Webhook, 'accountId' | 'url' | 'description' | 'types' | 'workspaceId'>,
): Promise<{ id: string; secret: Secret }> {
  checkWebhookUrl(rules, wanted.url);
  const id = `wh-${randomSuffix()}`;
  const secret = newSecret();
  const row = { ...wanted, id, secretSealed: sealer.seal(secret, bindingOf('webhook', id)) };
  if (!(await insertWebhook(db, row, webhooksMax)))
    throw new Fault('TooManyWebhooks', `an account may have ${webhooksMax} webhooks; remove one first`);
  return { id, secret };
}

/** @throws Fault WebhookNotFound, InvalidParameter, AddressNotAllowed */
export async function updateWebhook(
  { db, rules }: Pick<WebhookDeps, 'db' | 'rules'>,
  accountId: string,
  id: string,
  change: Partial<Pick<Webhook, 'url' | 'description' | 'types' | 'enabled'>>,
): Promise<void> {
  if (change.url !== undefined) checkWebhookUrl(rules, change.url);
  const changed = await inTransaction(db, (tx) => changeWebhook(tx, accountId, id, change));
  if (!changed) throw missing(id);
}

/** @throws Fault WebhookNotFound */
export async function deleteWebhook(db: Database, accountId: string, id: string): Promise<void> {
  if (!(await removeWebhook(db, accountId, id))) throw missing(id);
}

/**
 * Gives a webhook a new secret; the old one signs too for another day.
 * @throws Fault WebhookNotFound
 */
export async function rotateWebhookSecret(
  { db, sealer }: Pick<WebhookDeps, 'db' | 'sealer'>,
  accountId: string,
  id: string,
): Promise<{ secret: Secret; oldUntil: Date }> {
  const secret = newSecret();
  const oldUntil = new Date(Date.now() + oldSecretMs);
  const sealed = sealer.seal(secret, bindingOf('webhook', id));
  if (!(await replaceWebhookSecret(db, accountId, id, sealed, oldUntil))) throw missing(id);
  return { secret, oldUntil };
}
