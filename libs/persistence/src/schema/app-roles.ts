import { createHmac, createHash, pbkdf2Sync, randomBytes } from 'node:crypto';
import type { Secret } from '@kiln/kit';
import pg from 'pg';
import type { Executor } from '../db/database.ts';
import { sql } from 'drizzle-orm';
import { grantQueueRights } from './queue-schema.ts';

/**
 * The users as which the apps sign in to PostgreSQL, and what scales builders; each may do what it does and nothing else.
 */
export const appRoles = {
  api: 'kiln_api',
  builder: 'kiln_builder',
  registrar: 'kiln_registrar',
  scaler: 'kiln_scaler',
} as const;
export type App = keyof typeof appRoles;

/** The apps that add jobs or take them. */
const queueUsers: App[] = ['api', 'builder', 'registrar'];

const everything = 'SELECT, INSERT, UPDATE, DELETE';

/**
 * What each app's user may do with each table; with what is not named here, nothing. The builder and the registrar know
 * nothing of users, keys and tokens; only the builder reads what is in build secrets; nobody but the owner changes
 * accounts, projects and workspaces, or what is in the audit log.
 */
const rights: Record<App, Record<string, string>> = {
  api: {
    accounts: 'SELECT',
    users: 'SELECT, INSERT, UPDATE (role, revoked_at)',
    projects: 'SELECT',
    workspaces: 'SELECT',
    workspace_members: 'SELECT, INSERT, DELETE',
    access_keys: 'SELECT, INSERT, UPDATE (last_used_at, revoked_at)',
    tokens: 'SELECT, INSERT, UPDATE (last_used_at, revoked_at)',
    request_nonces: 'SELECT, INSERT',
    registry_connections: everything,
    build_secrets: 'SELECT (account_id, name, created_at, updated_at), INSERT, UPDATE, DELETE',
    account_shares: 'SELECT, INSERT, UPDATE',
    account_turns: 'SELECT',
    pool_turns: 'SELECT',
    workers: 'SELECT, UPDATE (cordoned, forget)',
    slot_samples: 'SELECT',
    builds: 'SELECT, INSERT, UPDATE',
    build_attempts: 'SELECT, UPDATE',
    build_phases: 'SELECT',
    build_steps: 'SELECT',
    build_events: 'SELECT, INSERT',
    build_log_chunks: 'SELECT',
    images: 'SELECT, INSERT, UPDATE',
    image_labels: everything,
    image_groups: 'SELECT, UPDATE',
    tallies: 'SELECT',
    outbox: everything,
    audit_log: 'SELECT, INSERT',
    events: 'SELECT, INSERT',
    event_marks: 'SELECT',
    webhooks: everything,
    contexts: everything,
    inspections: 'SELECT, INSERT, UPDATE',
    image_packages: 'SELECT',
    workspace_policies: 'SELECT, INSERT, UPDATE',
    attestations: 'SELECT',
    signing_keys: 'SELECT, INSERT, UPDATE',
    watched_tags: 'SELECT',
    campaigns: 'SELECT, INSERT, UPDATE',
    campaign_images: 'SELECT, INSERT, UPDATE',
    retention_rules: 'SELECT, INSERT, UPDATE',
    retention_plans: 'SELECT, INSERT, UPDATE, DELETE',
    source_connections: everything,
    webhook_deliveries: 'SELECT, UPDATE',
  },
  builder: {
    registry_connections: 'SELECT, UPDATE (takes_zstd, takes_cache)',
    build_secrets: 'SELECT',
    contexts: 'SELECT, INSERT, UPDATE',
    source_connections: 'SELECT',
    workers: 'SELECT, INSERT, UPDATE',
    worker_caches: 'SELECT, INSERT, DELETE',
    builds: 'SELECT, UPDATE',
    build_attempts: 'SELECT, INSERT, UPDATE',
    build_phases: 'SELECT, INSERT, UPDATE',
    build_steps: 'SELECT, INSERT, UPDATE',
    build_events: 'INSERT',
    build_log_chunks: 'INSERT',
    // One statement renews the leases of both kinds of work.
    images: 'SELECT (id, fence, pending, lease_until), UPDATE (lease_until)',
    outbox: everything,
  },
  registrar: {
    registry_connections: 'SELECT',
    account_shares: 'SELECT',
    account_turns: 'SELECT, INSERT, UPDATE',
    pool_turns: 'SELECT, INSERT, UPDATE',
    request_nonces: 'SELECT (expires_at), DELETE',
    tokens: 'SELECT (expires_at), DELETE',
    workers: everything,
    worker_caches: 'SELECT, DELETE',
    slot_samples: 'SELECT, INSERT, DELETE',
    builds: 'SELECT, UPDATE, DELETE',
    build_log_chunks:
      'SELECT (build_id, attempt, seq, line_times), UPDATE (first_line, line_times, line_steps, text), DELETE',
    build_attempts: 'SELECT, INSERT, UPDATE',
    build_phases: 'SELECT, INSERT, UPDATE',
    build_events: 'INSERT',
    images: 'SELECT, INSERT, UPDATE',
    image_labels: 'SELECT, INSERT, UPDATE',
    tag_moves: 'SELECT, INSERT',
    inspections: everything,
    image_packages: everything,
    layer_facts: everything,
    workspace_policies: 'SELECT',
    attestations: everything,
    signing_keys: 'SELECT, INSERT',
    watched_tags: everything,
    retention_rules: 'SELECT',
    retention_plans: 'SELECT, DELETE',
    registry_budgets: everything,
    build_steps: 'SELECT',
    tallies: 'SELECT, INSERT, DELETE',
    outbox: everything,
    events: 'SELECT, DELETE',
    event_marks: 'SELECT, UPDATE',
    webhooks: 'SELECT, UPDATE (enabled, stopped_because, failing_since)',
    webhook_deliveries: 'SELECT, INSERT, UPDATE',
    kiln_scaling: 'SELECT',
  },
  scaler: { kiln_scaling: 'SELECT' },
};

/**
 * What PostgreSQL keeps of a password (SCRAM-SHA-256), so that the password itself does not go there, nor into its log.
 */
export function scramVerifier(password: string, salt = randomBytes(16)): string {
  const rounds = 4096;
  const salted = pbkdf2Sync(password.normalize('NFKC'), salt, rounds, 32, 'sha256');
  const keyed = (text: string) => createHmac('sha256', salted).update(text).digest();
  const stored = createHash('sha256').update(keyed('Client Key')).digest('base64');
  return `SCRAM-SHA-256$${rounds}:${salt.toString('base64')}$${stored}:${keyed('Server Key').toString('base64')}`;
}

/**
 * Makes the apps' users, or gives those that are there another password. They belong to the server, not to one
 * database.
 */
export async function putAppRoles(db: Executor, passwords: Partial<Record<App, Secret | undefined>>): Promise<void> {
  for (const [app, password] of Object.entries(passwords) as [App, Secret | undefined][]) {
    if (!password) continue;
    const role = pg.escapeIdentifier(appRoles[app]);
    const verifier = pg.escapeLiteral(scramVerifier(password.reveal()));
    const { rows } = await db.execute(sql`SELECT 1 FROM pg_roles WHERE rolname = ${appRoles[app]}`);
    await db.execute(sql.raw(`${rows.length > 0 ? 'ALTER' : 'CREATE'} ROLE ${role} LOGIN PASSWORD ${verifier}`));
  }
}

/** Which of the apps' users the server has. */
export async function listAppRoles(db: Executor): Promise<string[]> {
  const names = `{${Object.values(appRoles).join(',')}}`;
  const { rows } = await db.execute<{ rolname: string }>(
    sql`SELECT rolname FROM pg_roles WHERE rolname = ANY(${names}::text[]) ORDER BY rolname`,
  );
  return rows.map((it) => it.rolname);
}

/**
 * Functions that act with their owner's rights are for the triggers that call them. Whoever may call one could put it
 * under a table of their own, and make what is the owner's do what they like by the types of its columns.
 */
const closeDoors = sql.raw(`
  REVOKE EXECUTE ON FUNCTION audit_append(), join_image_group(), tally_image(), tally_job(), record_build_event(),
    record_image_event(), record_campaign_event(), watch_tags() FROM PUBLIC;
  REVOKE CREATE ON SCHEMA public FROM PUBLIC;
  DO $$ BEGIN EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', current_database()); END $$`);

/** Gives each app's user that is there what it may do with this database's tables, and takes away all else. */
export async function grantRights(db: Executor): Promise<void> {
  await db.execute(closeDoors);
  const there = new Set(await listAppRoles(db));
  const statements = (Object.entries(rights) as [App, Record<string, string>][])
    .filter(([app]) => there.has(appRoles[app]))
    .flatMap(([app, tables]) => {
      const role = appRoles[app];
      return [
        `REVOKE ALL ON ALL TABLES IN SCHEMA public FROM ${role}`,
        `REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM ${role}`,
        ...(app === 'scaler' ? [] : [`GRANT USAGE ON SEQUENCE fences TO ${role}`]),
        ...Object.entries(tables).map(([table, what]) => `GRANT ${what} ON ${table} TO ${role}`),
      ];
    });
  if (statements.length > 0) await db.execute(sql.raw(statements.join(';\n')));
  await grantQueueRights(
    db,
    queueUsers.map((app) => appRoles[app]).filter((it) => there.has(it)),
  );
}
