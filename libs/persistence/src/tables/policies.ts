import { attestModes, driftErrors, policyModes } from '@kiln/domain';
import { boolean, integer, pgTable, text } from 'drizzle-orm/pg-core';
import { workspaces } from './identity.ts';
import { moment } from './moment.ts';

/** What workspaces ask of their images; one without a row has the default. */
export const workspacePolicies = pgTable('workspace_policies', {
  workspaceId: text('workspace_id')
    .primaryKey()
    .references(() => workspaces.id),
  accountId: text('account_id').notNull(),
  mode: text('mode', { enum: policyModes }).notNull(),
  /** Empty for those that an image is meant for. */
  profiles: text('profiles').array().notNull(),
  waitSeconds: integer('wait_seconds').notNull(),
  attest: text('attest', { enum: attestModes }).notNull(),
  cosignTags: boolean('cosign_tags').notNull(),
  errorOnDrift: text('error_on_drift', { enum: driftErrors }).notNull(),
  updatedAt: moment('updated_at').notNull().defaultNow(),
});
