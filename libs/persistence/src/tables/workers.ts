import { boolean, doublePrecision, index, integer, jsonb, pgTable, primaryKey, text } from 'drizzle-orm/pg-core';
import { moment } from './moment.ts';

/** What a builder says of itself. */
export interface WorkerAbout {
  engine?: string;
  version?: string;
  jail?: string;
  enforces?: string[];
  missing?: string[];
  disk?: { freeBytes: number; totalBytes: number };
  /** Engines that run: with a build, and without one. */
  rooms?: { warm: number; busy: number };
  /** What the caches of all accounts take of its disk, and the largest of them. */
  cacheBytes?: number;
  caches?: { account: string; bytes: number; usedAt: string }[];
}

/**
 * Worker processes. Each holds an advisory lock on its number for as long as it lives, on the connection by which it
 * renews its leases: PostgreSQL drops the lock with the connection.
 */
export const workers = pgTable('workers', {
  number: integer('number').primaryKey().generatedAlwaysAsIdentity(),
  name: text('name').notNull().unique(),
  app: text('app').notNull(),
  slots: integer('slots').notNull(),
  /** Whose builds a builder takes; empty for the common pool. */
  pool: text('pool').notNull().default(''),
  draining: boolean('draining').notNull().default(false),
  /** An operator wants it to take nothing new; it ends what it has. */
  cordoned: boolean('cordoned').notNull().default(false),
  /** Accounts whose caches an operator wants removed; it takes them with its next renewal. */
  forget: text('forget').array().notNull().default([]),
  /** What it says of itself: engine, jail, disk. */
  about: jsonb('about').$type<WorkerAbout>().notNull().default({}),
  startedAt: moment('started_at').notNull().defaultNow(),
  seenAt: moment('seen_at').notNull().defaultNow(),
});

/** Slots of each pool's builders, as they were once a minute: nobody could tell afterwards. */
export const slotSamples = pgTable(
  'slot_samples',
  {
    at: moment('at').notNull(),
    pool: text('pool').notNull(),
    slots: integer('slots').notNull(),
    busy: integer('busy').notNull(),
  },
  (t) => [primaryKey({ columns: [t.at, t.pool] })],
);

/** What an account may use of the builders; an account without a row has the defaults. */
export const accountShares = pgTable('account_shares', {
  accountId: text('account_id').primaryKey(),
  weight: doublePrecision('weight').notNull().default(1),
  /** Builds that may run at once; null for the installation's default. */
  runningMax: integer('running_max'),
  /** Builds that may wait; null for the installation's default. */
  waitingMax: integer('waiting_max'),
  /** Builds that are accepted within 24 hours, and entries of the catalogue; null for the installation's default. */
  dailyMax: integer('daily_max'),
  imagesMax: integer('images_max'),
});

/** Which builders keep caches of which accounts, and of what: what their builds began with. */
export const workerCaches = pgTable(
  'worker_caches',
  {
    accountId: text('account_id').notNull(),
    worker: text('worker').notNull(),
    /** As of `builds`; empty where nobody knows what the cache is of. */
    cacheKey: text('cache_key').notNull(),
  },
  (t) => [primaryKey({ columns: [t.accountId, t.cacheKey, t.worker] }), index('worker_caches_worker').on(t.worker)],
);

/** Virtual time at which an account's last build that was admitted in a pool ends: start-time fair queueing. */
export const accountTurns = pgTable(
  'account_turns',
  {
    accountId: text('account_id').notNull(),
    pool: text('pool').notNull(),
    finishTag: doublePrecision('finish_tag').notNull(),
    /** How long its builds took of late, in seconds, where the builder had the account's cache and where not. */
    warmSeconds: doublePrecision('warm_seconds'),
    coldSeconds: doublePrecision('cold_seconds'),
  },
  (t) => [primaryKey({ columns: [t.accountId, t.pool] })],
);

/** Virtual time at which the last build that was admitted in a pool started. */
export const poolTurns = pgTable('pool_turns', {
  pool: text('pool').primaryKey(),
  virtualTime: doublePrecision('virtual_time').notNull(),
});
