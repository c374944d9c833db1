import {
  goneStatuses,
  imageStatuses,
  visibilities,
  type BuildError,
  type ImageCheck,
  type ImageDrift,
  type ImageStep,
  type Retiring,
} from '@kiln/domain';
import { serviceTypes } from '@kiln/contract';
import { sql } from 'drizzle-orm';
import {
  bigint,
  boolean,
  date,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  text,
  uniqueIndex,
  uuid,
} from 'drizzle-orm/pg-core';
import { atOnce, moment } from './moment.ts';

/** Entries that hold their name and reference, for statements written out. */
export const heldStatus = `status NOT IN (${goneStatuses.map((it) => `'${it}'`).join(', ')})`;

/** All versions (tags) of one repository in a workspace. A trigger makes a group with its first image. */
export const imageGroups = pgTable(
  'image_groups',
  {
    id: uuid('id').primaryKey(),
    accountId: text('account_id').notNull(),
    workspaceId: text('workspace_id').notNull(),
    host: text('host').notNull(),
    repository: text('repository').notNull(),
    readMe: text('read_me').notNull().default(''),
    tags: jsonb('tags').$type<{ key: string; value: string }[]>().notNull().default([]),
    createdAt: moment('created_at').notNull().defaultNow(),
    updatedAt: moment('updated_at').notNull().defaultNow(),
  },
  (t) => [uniqueIndex('image_groups_repository').on(t.workspaceId, t.host, t.repository)],
);

/**
 * A catalogue entry, seen through both dialects. Its indexes for lists are in the migration `lists`: drizzle knows no
 * INCLUDE.
 */
export const images = pgTable(
  'images',
  {
    /** ModelArts' id. */
    id: uuid('id').primaryKey(),
    /** PAI's id. */
    paiId: text('pai_id').notNull().unique(),
    accountId: text('account_id').notNull(),
    projectId: text('project_id').notNull(),
    workspaceId: text('workspace_id').notNull(),
    userId: text('user_id').notNull(),
    name: text('name').notNull(),
    host: text('host').notNull(),
    repository: text('repository').notNull(),
    tag: text('tag').notNull(),
    description: text('description').notNull().default(''),
    visibility: text('visibility', { enum: visibilities }).notNull(),
    /** PUBLIC as ModelArts means it: every user of every account may read it by its id. */
    publicById: boolean('public_by_id').notNull().default(false),
    /** PRIVATE, and shown to ModelArts as HIDDEN: what it was asked to be. */
    hidden: boolean('hidden').notNull().default(false),
    arch: text('arch').notNull(),
    origin: text('origin').notNull().default('CUSTOMIZE'),
    resourceCategories: text('resource_categories').array().notNull(),
    serviceType: text('service_type', { enum: serviceTypes }).notNull().default('UNKNOWN'),
    services: text('services').array().notNull(),
    flavorType: text('flavor_type'),
    sourceType: text('source_type'),
    sourceId: text('source_id'),

    status: text('status', { enum: imageStatuses }).notNull(),
    statusMessage: text('status_message').notNull().default(''),
    error: jsonb('error').$type<BuildError>(),
    digest: text('digest'),
    mediaType: text('media_type'),
    platforms: text('platforms').array(),
    sizeBytes: bigint('size_bytes', { mode: 'number' }),
    /** How the image for its architecture came about, instruction by instruction; null where it is not known. */
    history: jsonb('history').$type<ImageStep[]>(),
    buildId: text('build_id').unique(),
    /** Which call made the entry. */
    via: text('via', { enum: ['build', 'pai', 'modelarts'] }).notNull(),
    /** The connection that reaches its registry; by the host when there is none. */
    registryConnectionId: text('registry_connection_id'),
    /** Set by a trigger. */
    groupId: uuid('group_id'),
    /** Of what is read of it: the same for all entries with its digest and architecture. Set by PostgreSQL. */
    inspectionId: text('inspection_id').generatedAlwaysAs(
      sql`'insp-' || md5(account_id || ' ' || host || ' ' || repository || ' ' || digest || ' ' || arch)`,
    ),
    /** How it did by the rules that its workspace's policy names, once its layers were read. */
    checked: jsonb('checked').$type<ImageCheck>(),
    /** Whether its layers have been read, and it is to be held against the policy. */
    policyDue: boolean('policy_due').notNull().default(false),
    /** How its registry came to differ from it; null as long as it does not. */
    drift: jsonb('drift').$type<ImageDrift>(),
    /** Whether an image that it was made from has a newer one of its tag. */
    stale: boolean('stale').notNull().default(false),
    /** Kept, whatever the rules of its workspace say. */
    pinned: boolean('pinned').notNull().default(false),
    /** When it was last said to be used, or a build started from it. */
    usedAt: moment('used_at'),
    /** How far it is on its way out of the catalogue, and when it goes on. */
    retiring: jsonb('retiring').$type<Retiring>(),
    retireAt: moment('retire_at'),

    /** Whether a registrar has to look at it: to verify it, or, once DELETED, to take it out of its registry. */
    pending: boolean('pending').notNull().default(false),
    attempt: integer('attempt').notNull().default(0),
    fence: bigint('fence', { mode: 'number' }).notNull().default(0),
    worker: text('worker'),
    leaseUntil: moment('lease_until'),
    notBefore: moment('not_before').notNull().default(atOnce),
    announcedAt: moment('announced_at').notNull().defaultNow(),
    createdAt: moment('created_at').notNull().defaultNow(),
    updatedAt: moment('updated_at').notNull().defaultNow(),
  },
  (t) => {
    const held = sql`${t.status} NOT IN (${sql.raw(goneStatuses.map((it) => `'${it}'`).join(', '))})`;
    return [
      uniqueIndex('images_name').on(t.workspaceId, t.name).where(held),
      index('images_reference').on(t.accountId, t.host, t.repository, t.tag),
      // Builds may set one tag several times, each with an entry of its own, and PAI adds one image under many names;
      // ModelArts registers it once.
      uniqueIndex('images_registered')
        .on(t.workspaceId, t.host, t.repository, t.tag)
        .where(sql`${held} AND ${t.via} = 'modelarts'`),
      index('images_group').on(t.groupId),
      index('images_inspection').on(t.inspectionId),
      index('images_pending')
        .on(t.notBefore)
        .where(sql`${t.pending}`),
      index('images_retiring')
        .on(t.retireAt)
        .where(sql`${t.retireAt} IS NOT NULL`),
      index('images_drifted')
        .on(t.accountId, t.createdAt)
        .where(sql`${t.drift} IS NOT NULL OR ${t.stale}`),
      index('images_policy_due')
        .on(t.id)
        .where(sql`${t.policyDue}`),
    ];
  },
);

export const imageLabels = pgTable(
  'image_labels',
  {
    imageId: uuid('image_id')
      .notNull()
      .references(() => images.id, { onDelete: 'cascade' }),
    key: text('key').notNull(),
    value: text('value').notNull(),
  },
  (t) => [primaryKey({ columns: [t.imageId, t.key] }), index('image_labels_pair').on(t.key, t.value)],
);

/**
 * How many entries each list has, by what it can be filtered by without looking at the entries: triggers add a row for
 * each change, a sweep sums them up. The sum of `n` is exact at any moment, and nobody waits for anybody to count.
 */
export const tallies = pgTable(
  'tallies',
  {
    id: bigint('id', { mode: 'number' }).primaryKey().generatedAlwaysAsIdentity(),
    list: text('list', { enum: ['images', 'jobs'] }).notNull(),
    accountId: text('account_id').notNull(),
    workspaceId: text('workspace_id').notNull(),
    userId: text('user_id').notNull(),
    visibility: text('visibility', { enum: visibilities }).notNull(),
    /** Status of an image, state of a build. */
    status: text('status').notNull(),
    /** Of images only. */
    serviceType: text('service_type', { enum: serviceTypes }),
    /** Day (UTC) on which a build was accepted; of jobs only. */
    day: date('day', { mode: 'string' }),
    n: bigint('n', { mode: 'number' }).notNull(),
  },
  (t) => [index('tallies_list').on(t.list, t.workspaceId, t.day), index('tallies_account').on(t.accountId, t.list)],
);

/** The order in which builds set a tag. A build whose move is not the newest of its reference leaves the tag alone. */
export const tagMoves = pgTable(
  'tag_moves',
  {
    host: text('host').notNull(),
    repository: text('repository').notNull(),
    tag: text('tag').notNull(),
    seq: bigint('seq', { mode: 'number' }).notNull(),
    digest: text('digest').notNull(),
    buildId: text('build_id').notNull().unique(),
    at: moment('at').notNull().defaultNow(),
  },
  (t) => [primaryKey({ columns: [t.host, t.repository, t.tag, t.seq] })],
);

/** A row of the images. */
export type Image = typeof images.$inferSelect;
