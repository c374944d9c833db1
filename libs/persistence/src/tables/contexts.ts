import { tlsModes } from '@kiln/domain';
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

/** How builds of an account fetch contexts from a host: a git server, or a store of archives. */
export const sourceConnections = pgTable(
  'source_connections',
  {
    accountId: text('account_id')
      .notNull()
      .references(() => accounts.id),
    /** With its port, as addresses name it. */
    host: text('host').notNull(),
    tlsMode: text('tls_mode', { enum: tlsModes }).notNull(),
    caPem: text('ca_pem'),
    username: text('username'),
    passwordSealed: text('password_sealed'),
    /** What ssh logs in with. */
    keySealed: text('key_sealed'),
    /** The host's own keys, as `ssh-keyscan` prints them. */
    knownHosts: text('known_hosts'),
    createdAt: moment('created_at').notNull().defaultNow(),
  },
  (t) => [primaryKey({ columns: [t.accountId, t.host] })],
);
