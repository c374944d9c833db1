import { campaignOutcomes, campaignStates } from '@kiln/domain';
import { sql } from 'drizzle-orm';
import { index, integer, pgTable, primaryKey, text, uuid } from 'drizzle-orm/pg-core';
import { moment } from './moment.ts';

/** Images that are built anew from their requests, some at a time. */
export const campaigns = pgTable(
  'campaigns',
  {
    id: text('id').primaryKey(),
    accountId: text('account_id').notNull(),
    workspaceId: text('workspace_id').notNull(),
    userId: text('user_id').notNull(),
    /** Who let it go on last. */
    startedBy: text('started_by'),
    title: text('title').notNull(),
    state: text('state', { enum: campaignStates }).notNull().default('planned'),
    /** Why it stopped by itself, or why it waits. */
    reason: text('reason').notNull().default(''),
    ratePerHour: integer('rate_per_hour').notNull(),
    canaryPercent: integer('canary_percent').notNull(),
    stopPercent: integer('stop_percent').notNull(),
    /** Failures that somebody knew of who let it go on. */
    accepted: integer('accepted').notNull().default(0),
    /** When it may submit its next build. */
    submitAt: moment('submit_at').notNull().defaultNow(),
    /** When somebody is to look at it next. */
    dueAt: moment('due_at').notNull().defaultNow(),
    createdAt: moment('created_at').notNull().defaultNow(),
    endedAt: moment('ended_at'),
  },
  (t) => [index('campaigns_account').on(t.accountId, t.createdAt), index('campaigns_due').on(t.state, t.dueAt)],
);

/** The images of campaigns, in the order in which they are built. */
export const campaignImages = pgTable(
  'campaign_images',
  {
    campaignId: text('campaign_id')
      .notNull()
      .references(() => campaigns.id, { onDelete: 'cascade' }),
    accountId: text('account_id').notNull(),
    place: integer('place').notNull(),
    imageId: uuid('image_id').notNull(),
    /** The build whose request is built anew. */
    sourceBuildId: text('source_build_id').notNull(),
    reference: text('reference').notNull(),
    bases: text('bases').array().notNull(),
    outcome: text('outcome', { enum: campaignOutcomes }).notNull().default('waiting'),
    /** The build that was submitted. */
    buildId: text('build_id'),
    message: text('message').notNull().default(''),
    /** How often it could not be submitted for a reason that is Kiln's own. */
    tries: integer('tries').notNull().default(0),
  },
  (t) => [
    primaryKey({ columns: [t.campaignId, t.place] }),
    index('campaign_images_building')
      .on(t.accountId)
      .where(sql`${t.outcome} = 'building'`),
  ],
);
