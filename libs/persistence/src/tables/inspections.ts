import { type BuildError, type ImageFacts, type LayerFacts, packageTypes, type ProfileResult } from '@kiln/domain';
import { sql } from 'drizzle-orm';
import { boolean, index, integer, jsonb, pgTable, primaryKey, text } from 'drizzle-orm/pg-core';
import { accounts } from './identity.ts';
import { atOnce, moment } from './moment.ts';

export const inspectionStates = ['waiting', 'reading', 'done', 'failed'] as const;

/** What stands of an image's facts in one row: its packages have rows of their own. */
export type KeptFacts = Omit<ImageFacts, 'packages'>;

/**
 * Images whose layers are read, or were. A trigger makes one for each digest and architecture that becomes ACTIVE in the
 * catalogue, or a policy that wants it known before, with the id that `images.inspection_id` has; others were asked for, and
 * are forgotten after some days.
 */
export const inspections = pgTable(
  'inspections',
  {
    id: text('id').primaryKey(),
    accountId: text('account_id')
      .notNull()
      .references(() => accounts.id),
    host: text('host').notNull(),
    repository: text('repository').notNull(),
    /** Tag or digest. */
    reference: text('reference').notNull(),
    registryConnectionId: text('registry_connection_id'),
    catalogued: boolean('catalogued').notNull(),
    /** ModelArts' name of the architecture that is looked at; the first of the image's where nobody named one. */
    arch: text('arch'),
    /** The build that waits for it: it may have come with credentials of its own. */
    buildId: text('build_id'),
    state: text('state', { enum: inspectionStates }).notNull().default('waiting'),
    attempt: integer('attempt').notNull().default(0),
    /** When it is somebody's turn; while it is read, when it is somebody else's. */
    notBefore: moment('not_before').notNull().default(atOnce),
    digest: text('digest'),
    platform: text('platform'),
    facts: jsonb('facts').$type<KeptFacts>(),
    /** PAI's labels, for images that have none of their own. */
    labels: jsonb('labels').$type<Record<string, string>>(),
    results: jsonb('results').$type<ProfileResult[]>(),
    error: jsonb('error').$type<BuildError>(),
    createdAt: moment('created_at').notNull().defaultNow(),
    readAt: moment('read_at'),
  },
  (t) => [
    index('inspections_due')
      .on(t.notBefore)
      .where(sql`${t.state} IN ('waiting', 'reading')`),
  ],
);

/** Packages of inspected images, to be searched. */
export const imagePackages = pgTable(
  'image_packages',
  {
    inspectionId: text('inspection_id')
      .notNull()
      .references(() => inspections.id, { onDelete: 'cascade' }),
    accountId: text('account_id').notNull(),
    /** A fact is what is searched for like a package: python, cuda. */
    type: text('type', { enum: [...packageTypes, 'fact'] }).notNull(),
    name: text('name').notNull(),
    version: text('version').notNull(),
    /** In lower case, with a hyphen between its words. */
    nameKey: text('name_key').notNull(),
    versionKey: integer('version_key').array().notNull(),
    /** From 0. */
    layer: integer('layer').notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.inspectionId, t.type, t.name, t.version] }),
    index('image_packages_search').on(t.accountId, t.nameKey, t.versionKey),
  ],
);

/** What was read of layers, for all images of the account that have them. */
export const layerFacts = pgTable(
  'layer_facts',
  {
    accountId: text('account_id').notNull(),
    digest: text('digest').notNull(),
    /** How it was read: facts of an older reader are read again. */
    reader: integer('reader').notNull(),
    facts: jsonb('facts').$type<LayerFacts>().notNull(),
    usedAt: moment('used_at').notNull().defaultNow(),
  },
  (t) => [primaryKey({ columns: [t.accountId, t.digest] })],
);
