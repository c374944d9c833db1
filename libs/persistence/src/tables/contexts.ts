import { bigint, index, integer, pgTable, primaryKey, text } from 'drizzle-orm/pg-core';
import { accounts } from './identity.ts';
import { moment } from './moment.ts';

/** Build contexts of accounts; their files are in the store of contexts. */
export const contexts = pgTable(
  'contexts',
  {
    accountId: text('account_id')
      .notNull()
      .references(() => accounts.id),
    /** `sha256:…` of its list of entries. */
    id: text('id').notNull(),
    files: integer('files').notNull(),
    bytes: bigint('bytes', { mode: 'number' }).notNull(),
    /** Digest of the archive that it came as, which need not come again. */
    archive: text('archive'),
    createdAt: moment('created_at').notNull().defaultNow(),
    expiresAt: moment('expires_at').notNull(),
  },
  (t) => [primaryKey({ columns: [t.accountId, t.id] }), index('contexts_archive').on(t.accountId, t.archive)],
);
