import { type EventData, visibilities } from '@kiln/domain';
import { sql } from 'drizzle-orm';
import {
  bigint,
  boolean,
  customType,
  index,
  integer,
  jsonb,
  pgTable,
  text,
  uniqueIndex,
  uuid,
} from 'drizzle-orm/pg-core';
import { moment } from './moment.ts';
import { accounts } from './identity.ts';

/** Number of a transaction, in decimal: too large for a number of JavaScript. */
const xid8 = customType<{ data: string; driverData: string }>({ dataType: () => 'xid8' });
const xact = () => xid8('xact').notNull();

/**
 * What happened to an account's builds and images, written by triggers with the change itself; read by those who follow
 * it and by webhooks. Its order is that of `(xact, id)`: once every transaction before `xact` has ended, nothing can
 * come in between any more.
 */
export const events = pgTable(
  'events',
  {
    id: bigint('id', { mode: 'number' }).primaryKey().generatedAlwaysAsIdentity(),
    xact: xact().default(sql`pg_current_xact_id()`),
    /** What it is known by outside: never given twice, in whatever database. */
    key: uuid('key').notNull().defaultRandom(),
    accountId: text('account_id').notNull(),
    workspaceId: text('workspace_id').notNull(),
    userId: text('user_id').notNull(),
    visibility: text('visibility', { enum: visibilities }).notNull(),
    type: text('type').notNull(),
    at: moment('at').notNull().defaultNow(),
    data: jsonb('data').$type<EventData>().notNull(),
  },
  (t) => [index('events_order').on(t.xact, t.id), index('events_account').on(t.accountId, t.xact, t.id)],
);

/** Places in the events: how far webhooks have been told, and up to where events are forgotten. */
export const eventMarks = pgTable('event_marks', {
  name: text('name', { enum: ['webhooks', 'forgotten'] }).primaryKey(),
  xact: xact(),
  id: bigint('id', { mode: 'number' }).notNull(),
});

/** Addresses that are told of an account's events. */
export const webhooks = pgTable(
  'webhooks',
  {
    id: text('id').primaryKey(),
    accountId: text('account_id')
      .notNull()
      .references(() => accounts.id),
    url: text('url').notNull(),
    description: text('description').notNull(),
    /** Types of events, or `build.*`; empty for all. */
    types: text('types').array().notNull(),
    /** Events of this workspace only. */
    workspaceId: text('workspace_id'),
    enabled: boolean('enabled').notNull().default(true),
    /** Why Kiln has stopped using it; empty when somebody asked for that. */
    stoppedBecause: text('stopped_because').notNull().default(''),
    secretSealed: text('secret_sealed').notNull(),
    /** The secret before, which signs too until then. */
    oldSecretSealed: text('old_secret_sealed'),
    oldSecretUntil: moment('old_secret_until'),
    /** Since when nothing has come through; null while it works. */
    failingSince: moment('failing_since'),
    createdAt: moment('created_at').notNull().defaultNow(),
    updatedAt: moment('updated_at').notNull().defaultNow(),
  },
  (t) => [index('webhooks_account').on(t.accountId, t.createdAt)],
);

/** What became of one try to deliver. */
export interface DeliveryTry {
  at: string;
  ms: number;
  /** What it answered, if it did. */
  status?: number;
  error?: string;
}

export const deliveryStates = ['waiting', 'delivered', 'failed'] as const;

/** One event for one webhook. */
export const webhookDeliveries = pgTable(
  'webhook_deliveries',
  {
    id: bigint('id', { mode: 'number' }).primaryKey().generatedAlwaysAsIdentity(),
    webhookId: text('webhook_id')
      .notNull()
      .references(() => webhooks.id, { onDelete: 'cascade' }),
    accountId: text('account_id').notNull(),
    eventId: bigint('event_id', { mode: 'number' })
      .notNull()
      .references(() => events.id, { onDelete: 'cascade' }),
    state: text('state', { enum: deliveryStates }).notNull().default('waiting'),
    /** How often it was taken to be tried; with the id, it names a try. */
    tries: integer('tries').notNull().default(0),
    /** Tries that failed since it was asked for; asking again begins anew. */
    failures: integer('failures').notNull().default(0),
    /** When it is tried next; while it is being tried, when whoever does so counts as dead. */
    nextAt: moment('next_at').notNull().defaultNow(),
    /** The last tries, the newest last. */
    log: jsonb('log').$type<DeliveryTry[]>().notNull().default([]),
    createdAt: moment('created_at').notNull().defaultNow(),
  },
  (t) => [
    uniqueIndex('webhook_deliveries_event').on(t.eventId, t.webhookId),
    index('webhook_deliveries_webhook').on(t.webhookId, t.id),
    index('webhook_deliveries_due')
      .on(t.webhookId, t.nextAt)
      .where(sql`${t.state} = 'waiting'`),
  ],
);
