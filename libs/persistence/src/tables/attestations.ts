import { attestationStates, type BuildError } from '@kiln/domain';
import { sql } from 'drizzle-orm';
import { index, integer, jsonb, pgTable, text, uniqueIndex } from 'drizzle-orm/pg-core';
import { accounts } from './identity.ts';
import { atOnce, moment } from './moment.ts';

/** One document that refers to an image in its registry. */
export interface AttachedDocument {
  /** `provenance`, `spdx`, `cyclonedx`, `signature`. */
  kind: string;
  predicateType: string;
  /** Of its manifest. */
  digest: string;
  /** Of the signed document: a Sigstore bundle. */
  bundle: string;
  /** Bytes of that. */
  size: number;
  keyId: string;
}

/** Images of builds to which documents are attached: one row for each digest of a repository. */
export const attestations = pgTable(
  'attestations',
  {
    id: text('id').primaryKey(),
    accountId: text('account_id')
      .notNull()
      .references(() => accounts.id),
    workspaceId: text('workspace_id').notNull(),
    host: text('host').notNull(),
    repository: text('repository').notNull(),
    digest: text('digest').notNull(),
    arch: text('arch').notNull(),
    registryConnectionId: text('registry_connection_id'),
    /** The build that is told of. */
    buildId: text('build_id').notNull(),
    state: text('state', { enum: attestationStates }).notNull().default('waiting'),
    attempt: integer('attempt').notNull().default(0),
    /** When it is somebody's turn; while it is written, when it is somebody else's. */
    notBefore: moment('not_before').notNull().default(atOnce),
    documents: jsonb('documents').$type<AttachedDocument[]>().notNull().default([]),
    error: jsonb('error').$type<BuildError>(),
    createdAt: moment('created_at').notNull().defaultNow(),
    writtenAt: moment('written_at'),
  },
  (t) => [
    uniqueIndex('attestations_image').on(t.accountId, t.host, t.repository, t.digest),
    index('attestations_due')
      .on(t.notBefore)
      .where(sql`${t.state} IN ('waiting', 'writing')`),
  ],
);

/** Keys that sign what is attached: an account's, or, without one, the installation's. */
export const signingKeys = pgTable(
  'signing_keys',
  {
    /** SHA-256 of the public key, in hex. */
    id: text('id').notNull(),
    accountId: text('account_id').references(() => accounts.id),
    /** PEM */
    publicKey: text('public_key').notNull(),
    privateSealed: text('private_sealed').notNull(),
    createdAt: moment('created_at').notNull().defaultNow(),
    /** Since when it does not sign any more; what it has signed can still be verified. */
    retiredAt: moment('retired_at'),
  },
  (t) => [uniqueIndex('signing_keys_owner').on(sql`coalesce(${t.accountId}, '')`, t.id)],
);
