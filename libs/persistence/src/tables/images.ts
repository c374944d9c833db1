import { imageStatuses, visibilities, type BuildError } from '@kiln/schemas';
import { sql } from 'drizzle-orm';
import {
  bigint,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  text,
  timestamp,
  uniqueIndex,
  uuid,
} from 'drizzle-orm/pg-core';

const moment = (name: string) => timestamp(name, { withTimezone: true, precision: 3 });

/** A catalogue entry, seen through both dialects. */
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
    arch: text('arch').notNull(),
    origin: text('origin').notNull().default('CUSTOMIZE'),
    resourceCategories: text('resource_categories').array().notNull(),
    serviceType: text('service_type').notNull().default('UNKNOWN'),
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
    buildId: text('build_id').unique(),

    attempt: integer('attempt').notNull().default(0),
    fence: bigint('fence', { mode: 'number' }).notNull().default(0),
    leaseUntil: moment('lease_until'),
    notBefore: moment('not_before').notNull().defaultNow(),
    announcedAt: moment('announced_at').notNull().defaultNow(),
    createdAt: moment('created_at').notNull().defaultNow(),
    updatedAt: moment('updated_at').notNull().defaultNow(),
  },
  (t) => {
    const held = sql`${t.status} NOT IN ('DELETED', 'CREATE_FAILED')`;
    return [
      uniqueIndex('images_name').on(t.workspaceId, t.name).where(held),
      index('images_reference').on(t.accountId, t.host, t.repository, t.tag),
      // Builds may set one tag several times, each with an entry of its own; an outside image is registered once.
      uniqueIndex('images_registered')
        .on(t.workspaceId, t.host, t.repository, t.tag)
        .where(sql`${held} AND ${t.buildId} IS NULL`),
      index('images_workspace_newest').on(t.workspaceId, t.createdAt, t.id),
      index('images_project_newest').on(t.projectId, t.createdAt, t.id),
      index('images_unfinished')
        .on(t.status, t.notBefore)
        .where(sql`${t.status} IN ('INIT', 'CREATING')`),
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
  (t) => [primaryKey({ columns: [t.imageId, t.key] })],
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
