import { index, integer, pgTable, primaryKey, text } from 'drizzle-orm/pg-core';
import { accounts } from './identity.ts';
import { moment } from './moment.ts';

/**
 * Tags that an account's images have, or that its builds started from, with what they named when their registry was last
 * asked. A trigger adds them with the images.
 */
export const watchedTags = pgTable(
  'watched_tags',
  {
    accountId: text('account_id')
      .notNull()
      .references(() => accounts.id),
    /** `host/repository:tag` */
    reference: text('reference').notNull(),
    host: text('host').notNull(),
    registryConnectionId: text('registry_connection_id'),
    /** What it named; null where it was not there, or has not been asked for. */
    digest: text('digest'),
    /** Digests of the images of the index that it named. */
    members: text('members').array().notNull().default([]),
    askedAt: moment('asked_at'),
    /** When it is asked for next; null until a registrar has settled that. */
    dueAt: moment('due_at'),
    /** Why the last answer is none, and how many in a row have been. */
    failure: text('failure').notNull().default(''),
    failures: integer('failures').notNull().default(0),
  },
  (t) => [
    primaryKey({ columns: [t.accountId, t.reference] }),
    index('watched_tags_due').on(t.host, t.dueAt),
    index('watched_tags_next').on(t.dueAt),
  ],
);

/** Registries that have been asked for tags as often as they may be for now; they are the same for all accounts. */
export const registryBudgets = pgTable('registry_budgets', {
  host: text('host').primaryKey(),
  nextAt: moment('next_at').notNull(),
});
