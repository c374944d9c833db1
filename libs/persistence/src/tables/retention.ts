import type { RetentionRules } from '@kiln/domain';
import { bigint, index, jsonb, pgTable, text } from 'drizzle-orm/pg-core';
import { workspaces } from './identity.ts';
import { moment } from './moment.ts';

/** How long workspaces keep their images; one without a row keeps all. */
export const retentionRules = pgTable('retention_rules', {
  workspaceId: text('workspace_id')
    .primaryKey()
    .references(() => workspaces.id),
  accountId: text('account_id').notNull(),
  rules: jsonb('rules').$type<RetentionRules>().notNull(),
  updatedAt: moment('updated_at').notNull().defaultNow(),
});

/** An image that may go, as a plan lists it. */
export interface PlannedRemoval {
  id: string;
  reason: string;
}

/** What dry runs found: only what one lists can be removed. */
export const retentionPlans = pgTable(
  'retention_plans',
  {
    id: text('id').primaryKey(),
    accountId: text('account_id').notNull(),
    workspaceId: text('workspace_id').notNull(),
    userId: text('user_id').notNull(),
    images: jsonb('images').$type<PlannedRemoval[]>().notNull(),
    bytes: bigint('bytes', { mode: 'number' }).notNull(),
    createdAt: moment('created_at').notNull().defaultNow(),
    runAt: moment('run_at'),
  },
  (t) => [index('retention_plans_workspace').on(t.workspaceId, t.createdAt)],
);
