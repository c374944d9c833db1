import { compressionChoices, roles, scopes, tlsModes } from '@kiln/domain';
import { sql } from 'drizzle-orm';
import { boolean, index, integer, pgTable, primaryKey, text, timestamp, uniqueIndex, uuid } from 'drizzle-orm/pg-core';

const createdAt = () => timestamp('created_at', { withTimezone: true }).notNull().defaultNow();
const revokedAt = () => timestamp('revoked_at', { withTimezone: true });

/** The tenant. Every row below belongs to one. */
export const accounts = pgTable('accounts', {
  id: text('id').primaryKey(),
  name: text('name').notNull().unique(),
  /**
   * Its operators and admins run the installation: they see its workers and queues, and every account's part of them.
   */
  operates: boolean('operates').notNull().default(false),
  createdAt: createdAt(),
  revokedAt: revokedAt(),
});

const accountId = () =>
  text('account_id')
    .notNull()
    .references(() => accounts.id);

/**
 * A person or robot of an account. Operators and admins act in every workspace of the account, others in those they
 * belong to.
 */
export const users = pgTable(
  'users',
  {
    id: text('id').primaryKey(),
    accountId: accountId(),
    name: text('name').notNull(),
    role: text('role', { enum: roles }).notNull(),
    createdAt: createdAt(),
    revokedAt: revokedAt(),
  },
  (t) => [uniqueIndex('users_name').on(t.accountId, t.name)],
);

const userId = () =>
  text('user_id')
    .notNull()
    .references(() => users.id);

/** Huawei's project. */
export const projects = pgTable(
  'projects',
  {
    id: text('id').primaryKey(),
    accountId: accountId(),
    name: text('name').notNull(),
    createdAt: createdAt(),
    revokedAt: revokedAt(),
  },
  (t) => [uniqueIndex('projects_name').on(t.accountId, t.name)],
);

/**
 * PAI's workspace (decimal `id`) and ModelArts' (`modelartsId`, or "0" for its project's default one): one thing, two
 * ids.
 */
export const workspaces = pgTable(
  'workspaces',
  {
    id: text('id').primaryKey(),
    modelartsId: text('modelarts_id').notNull().unique(),
    accountId: accountId(),
    projectId: text('project_id')
      .notNull()
      .references(() => projects.id),
    name: text('name').notNull(),
    isDefault: boolean('is_default').notNull(),
    createdAt: createdAt(),
    revokedAt: revokedAt(),
  },
  (t) => [
    uniqueIndex('workspaces_name').on(t.accountId, t.name),
    uniqueIndex('workspaces_default')
      .on(t.projectId)
      .where(sql`${t.isDefault}`),
  ],
);

export const workspaceMembers = pgTable(
  'workspace_members',
  {
    workspaceId: text('workspace_id')
      .notNull()
      .references(() => workspaces.id),
    userId: userId(),
  },
  (t) => [primaryKey({ columns: [t.workspaceId, t.userId] })],
);

/** Keys that sign requests. HMAC needs the secret itself, so it is sealed, not hashed. */
export const accessKeys = pgTable('access_keys', {
  id: text('id').primaryKey(),
  accountId: accountId(),
  userId: userId(),
  secretSealed: text('secret_sealed').notNull(),
  /** SHA-256 of the security token that must come with a temporary key. */
  securityTokenHash: text('security_token_hash'),
  /** What it is good for; null for all that its user may do. */
  scopes: text('scopes', { enum: scopes }).array(),
  lastUsedAt: timestamp('last_used_at', { withTimezone: true }),
  expiresAt: timestamp('expires_at', { withTimezone: true }),
  createdAt: createdAt(),
  revokedAt: revokedAt(),
});

/** Opaque tokens, stored as their SHA-256. */
export const tokens = pgTable('tokens', {
  id: uuid('id').primaryKey(),
  accountId: accountId(),
  userId: userId(),
  hash: text('hash').notNull().unique(),
  /** The access key that it was given for, without which it is not good either; null when an operator made it. */
  accessKeyId: text('access_key_id'),
  /** The only project that it is good for; null for all of the account. */
  projectId: text('project_id'),
  /** What it is good for; null for all that its user may do. */
  scopes: text('scopes', { enum: scopes }).array(),
  /**
   * The token that a browser's session was begun with, without which it is not good either; a session comes in a cookie
   * only.
   */
  sessionOf: uuid('session_of'),
  lastUsedAt: timestamp('last_used_at', { withTimezone: true }),
  createdAt: createdAt(),
  expiresAt: timestamp('expires_at', { withTimezone: true }),
  revokedAt: revokedAt(),
});

/** Nonces that ACS3 requests have used, kept for twice the clock window. */
export const requestNonces = pgTable(
  'request_nonces',
  {
    accessKeyId: text('access_key_id').notNull(),
    nonce: text('nonce').notNull(),
    expiresAt: timestamp('expires_at', { withTimezone: true }).notNull(),
  },
  (t) => [primaryKey({ columns: [t.accessKeyId, t.nonce] }), index('request_nonces_expiry').on(t.expiresAt)],
);

/** Where an account may push and pull, and how. PAI's `TargetRegistry.InstanceId` names one. */
export const registryConnections = pgTable(
  'registry_connections',
  {
    accountId: accountId(),
    id: text('id').notNull(),
    host: text('host').notNull(),
    tlsMode: text('tls_mode', { enum: tlsModes }).notNull(),
    caPem: text('ca_pem'),
    username: text('username'),
    passwordSealed: text('password_sealed'),
    /** How layers are packed; `auto` is zstd where the registry takes it. */
    compression: text('compression', { enum: compressionChoices }).notNull().default('gzip'),
    compressionLevel: integer('compression_level'),
    /** Whether the registry took a zstd layer; unknown before the first one. */
    takesZstd: boolean('takes_zstd'),
    /** Repository in which layers of builds are kept for builders that have not built the like; none are when null. */
    cacheRepository: text('cache_repository'),
    /** False once the registry has refused such layers. */
    takesCache: boolean('takes_cache'),
    createdAt: createdAt(),
  },
  (t) => [primaryKey({ columns: [t.accountId, t.id] }), index('registry_connections_host').on(t.accountId, t.host)],
);

/** What an account's builds may be given as `RUN --mount=type=secret,id=NAME`. */
export const buildSecrets = pgTable(
  'build_secrets',
  {
    accountId: accountId(),
    name: text('name').notNull(),
    sealed: text('sealed').notNull(),
    createdAt: createdAt(),
    updatedAt: timestamp('updated_at', { withTimezone: true }).notNull().defaultNow(),
  },
  (t) => [primaryKey({ columns: [t.accountId, t.name] })],
);
