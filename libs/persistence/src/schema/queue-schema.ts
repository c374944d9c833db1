import { DEFAULT_SCHEMA, runMigrations } from 'bullmq';
import { sql } from 'drizzle-orm';
import type pg from 'pg';
import type { Executor } from '../db/database.ts';

/** Where BullMQ's tables and functions lie, for an installation without Redis. */
export const queueSchema = DEFAULT_SCHEMA;

/** Whose rights BullMQ's functions act with. Nobody signs in as it. */
const queueRole = 'kiln_queue';

/**
 * Brings BullMQ's schema up to date, in a transaction of its own. An owner who may not make schemas, or where another
 * has one of this name, goes without it, and with it without queues in PostgreSQL.
 */
export async function putQueueSchema(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ may: boolean }>(
    `SELECT has_database_privilege(current_database(), 'CREATE') AND NOT EXISTS (
       SELECT FROM pg_namespace WHERE nspname = $1 AND NOT pg_has_role(current_user, nspowner, 'USAGE')) AS may`,
    [queueSchema],
  );
  if (rows[0]?.may) await runMigrations(client);
}

/** Makes the role of BullMQ's functions, which belongs to the server, and a member of whoever migrates, if that may be. */
const ensureQueueRole = (db: Executor) =>
  db.execute(
    sql.raw(`
      DO $$ BEGIN
        IF to_regrole('${queueRole}') IS NULL
          AND (SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user) THEN
          CREATE ROLE ${queueRole} NOLOGIN;
        END IF;
        IF to_regrole('${queueRole}') IS NOT NULL AND NOT pg_has_role(current_user, '${queueRole}', 'MEMBER') THEN
          GRANT ${queueRole} TO CURRENT_USER;
        END IF;
      EXCEPTION
        -- Somebody else made it just now, or it is not ours to give.
        WHEN duplicate_object OR unique_violation OR insufficient_privilege THEN NULL;
      END $$`),
  );

/**
 * Lets users of the server add jobs and take them. BullMQ's functions make a sequence for each queue when it is first
 * used, which needs a right that would let one app put functions in the way of another: so they act with the rights of
 * a role that has nothing but this schema. Where that role may not be made, users are let in to nothing.
 */
export async function grantQueueRights(db: Executor, roles: readonly string[]): Promise<void> {
  const { rows } = await db.execute(sql`SELECT 1 WHERE to_regnamespace(${queueSchema}) IS NOT NULL`);
  if (rows.length === 0 || roles.length === 0) return;
  await ensureQueueRole(db);
  const users = roles.join(', ');
  const tables = `ALL TABLES IN SCHEMA ${queueSchema}`;
  await db.execute(
    sql.raw(`
      DO $$ DECLARE it regprocedure; BEGIN
        IF to_regrole('${queueRole}') IS NULL OR NOT pg_has_role(current_user, '${queueRole}', 'MEMBER')
          OR NOT pg_has_role(current_user, (SELECT nspowner FROM pg_namespace WHERE nspname = '${queueSchema}'), 'USAGE')
          THEN RETURN;
        END IF;
        GRANT USAGE, CREATE ON SCHEMA ${queueSchema} TO ${queueRole};
        GRANT SELECT, INSERT, UPDATE, DELETE ON ${tables} TO ${queueRole};
        GRANT USAGE ON ALL SEQUENCES IN SCHEMA ${queueSchema} TO ${queueRole};
        -- What adds several jobs at once sorts them in a table of its own.
        EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO ${queueRole}', current_database());
        FOR it IN SELECT oid FROM pg_proc WHERE pronamespace = '${queueSchema}'::regnamespace
          AND NOT (prosecdef AND proowner = '${queueRole}'::regrole) LOOP
          EXECUTE format('ALTER ROUTINE %s OWNER TO ${queueRole}', it);
          EXECUTE format('ALTER ROUTINE %s SECURITY DEFINER SET search_path = ${queueSchema}, pg_temp', it);
        END LOOP;
        GRANT USAGE ON SCHEMA ${queueSchema} TO ${users};
        GRANT SELECT, INSERT, UPDATE, DELETE ON ${tables} TO ${users};
        REVOKE INSERT, UPDATE, DELETE ON ${queueSchema}.migration FROM ${users};
      END $$`),
  );
}
