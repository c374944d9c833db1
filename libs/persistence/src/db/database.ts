import { measureOnDemand, metrics, type Secret, timings } from '@kiln/kit';
import { DrizzleQueryError } from 'drizzle-orm';
import { drizzle, type NodePgDatabase } from 'drizzle-orm/node-postgres';
import pg from 'pg';
import { PooledPool } from './pooled-pool.ts';
import { isStalePlan, planOnce } from './statement-plans.ts';
import { allTenants, tenantOption, TenantPool } from './tenant-pool.ts';
import { runTransaction } from './transaction.ts';

export type Database = NodePgDatabase & { $client: pg.Pool };
/** A database or a transaction of one: what statements that may run inside a transaction take. */
export type Executor = Pick<Database, 'select' | 'insert' | 'update' | 'delete' | 'execute' | 'with' | '$with'>;

export interface OpenDatabase {
  db: Database;
  close: () => Promise<void>;
}

export interface DatabaseOptions {
  /** Most connections at once. */
  connections?: number;
  /**
   * `false` lets a commit answer before it is on disk. Only for rows whose loss in a crash of the server
   * is acceptable; never for a row that a 2xx stands for.
   */
  durable?: boolean;
  /**
   * A statement that takes longer is stuck, here in milliseconds: every one is meant to take a few. A server that has
   * gone without a word is noticed as late.
   */
  statementMs?: number;
  /** How long a new connection may take, in milliseconds. */
  connectMs?: number;
  /** Whose rows are in sight: those of every account, or those of the account that is being acted for. */
  scope?: 'all' | 'caller';
  /** Where names without a schema are looked for, instead of `public`. */
  schema?: string;
  /** Where a pooler is that statements go through, which shares sessions between transactions. */
  pooler?: Secret | undefined;
  /** What its connections are called in the metrics; they are not measured without a name. */
  name?: string;
  onError?: (error: Error) => void;
}

export function openDatabase(
  url: Secret,
  {
    connections = 10,
    durable = true,
    statementMs = 8000,
    connectMs = 5000,
    scope = 'all',
    schema,
    pooler,
    name,
    onError,
  }: DatabaseOptions = {},
): OpenDatabase {
  const { connectionString, options: own } = readUrl(pooler ?? url);
  const settings = {
    synchronous_commit: durable ? 'on' : 'off',
    // The wall makes statements look dear, and compiling one then takes longer than running it.
    jit: 'off',
    ...(schema === undefined ? {} : { search_path: schema }),
  };
  const limits = {
    statement_timeout: statementMs,
    idle_in_transaction_session_timeout: timings.silentTransactionMs,
  };
  const common = {
    connectionString,
    max: connections,
    connectionTimeoutMillis: connectMs,
    keepAlive: true,
    query_timeout: statementMs + 1000,
    keepAliveInitialDelayMillis: 10_000,
  };
  const options = [
    ...own,
    ...Object.entries(settings).map(([setting, value]) => `-c ${setting}=${value}`),
    ...(scope === 'all' ? [tenantOption(allTenants)] : []),
  ].join(' ');
  const pool = pooler
    ? new PooledPool(common, { ...settings, ...limits }, scope === 'all' ? allTenants : undefined)
    : new (scope === 'all' ? pg.Pool : TenantPool)({ ...common, ...limits, options });
  if (!pooler) pool.on('connect', planOnce);
  if (name !== undefined)
    measureOnDemand(() => {
      const set = (state: string, n: number) => metrics.databaseConnections.set({ pool: name, state }, n);
      set('busy', pool.totalCount - pool.idleCount);
      set('idle', pool.idleCount);
      set('wanted', pool.waitingCount);
    });
  // A connection that breaks, idle or in use, is replaced by the pool; without a listener it would end the process.
  pool.on('error', (error) => onError?.(error));
  pool.on('connect', (client) => client.on('error', (error) => onError?.(error)));
  return { db: drizzle(pool), close: () => pool.end() };
}

/** An address, and the options that it has itself: the driver would take those alone. */
export function readUrl(url: Secret): { connectionString: string; options: string[] } {
  const parsed = new URL(url.reveal());
  const own = parsed.searchParams.get('options');
  parsed.searchParams.delete('options');
  return { connectionString: parsed.href, options: own === null ? [] : [own] };
}

/**
 * Runs `work` in a transaction.
 * @param durable `false` as of `openDatabase`, for this transaction alone
 */
export function inTransaction<T>(
  db: Database,
  work: (tx: Executor) => Promise<T>,
  { durable = true }: Pick<DatabaseOptions, 'durable'> = {},
): Promise<T> {
  const pool = db.$client;
  const plain = durable ? 'BEGIN' : 'BEGIN; SET LOCAL synchronous_commit = off';
  const begin = pool instanceof PooledPool ? pool.begin(durable ? {} : { synchronous_commit: 'off' }) : plain;
  return runTransaction(pool, begin, (client) => work(drizzle(client)));
}

/** Runs a statement that PostgreSQL plans once for each connection from its first run on, with values or without. */
export const runPrepared = <R extends pg.QueryResultRow>(
  db: Executor,
  name: string,
  text: string,
  values: unknown[],
): Promise<pg.QueryResult<R>> =>
  // A transaction of `inTransaction` has its connection there.
  (db as Database).$client.query<R>({ name, text, values });

const gone = /^(08|57P|57014|25P03|53300|ECONN|EPIPE|ETIMEDOUT|ENOTFOUND)/;
// The driver's own errors have no code.
const goneInWords =
  /Connection terminated|timeout exceeded when trying to connect|Query read timeout|timeout expired|is not queryable|Client was closed/;

/** Whether an error says that PostgreSQL cannot be reached, or is changing, so that trying later makes sense. */
export function isDatabaseDown(error: unknown): boolean {
  let it = error as { code?: unknown; message?: unknown; cause?: unknown } | null | undefined;
  for (; typeof it === 'object' && it !== null; it = it.cause as typeof it) {
    if (typeof it.code === 'string' && gone.test(it.code)) return true;
    if (goneInWords.test(String(it.message)) || isStalePlan(it)) return true;
  }
  return false;
}

/** What went wrong, without the statement and its values, which may be secret: fit to be shown. */
export const withoutStatement = (error: unknown): unknown => (error instanceof DrizzleQueryError ? error.cause : error);
