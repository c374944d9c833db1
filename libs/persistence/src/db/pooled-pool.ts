import pg from 'pg';
import { planEachAnew } from './statement-plans.ts';
import { actor } from './tenant-pool.ts';
import { runTransaction } from './transaction.ts';

/** What holds for a transaction, by the names of PostgreSQL's settings. */
export type LocalSettings = Readonly<Record<string, string | number>>;

/**
 * Connections to a pooler that gives each transaction another session (PgBouncer's transaction mode): nothing that is set
 * stays, and nothing is planned ahead. So each transaction says itself what holds for it, and a statement alone is one.
 */
export class PooledPool extends pg.Pool {
  readonly #settings: LocalSettings;
  readonly #account: string | undefined;

  /**
   * @param settings of every transaction
   * @param account whose rows are in sight; those of the account that is being acted for when undefined
   */
  constructor(options: pg.PoolConfig, settings: LocalSettings, account: string | undefined) {
    super(options);
    this.on('connect', planEachAnew);
    this.#settings = settings;
    this.#account = account;
  }

  /** What a transaction begins with, for whoever asks now. */
  begin(more: LocalSettings = {}): string {
    const all = { ...this.#settings, ...more, 'kiln.account': this.#account ?? actor() };
    const set = Object.entries(all).map(([name, value]) => `SET LOCAL ${name} = ${pg.escapeLiteral(String(value))}`);
    return ['BEGIN', ...set].join('; ');
  }

  // The driver's own has a dozen forms; Kiln and drizzle use the one that gives a promise.
  override query = ((query: string | pg.QueryConfig, values?: unknown[]) =>
    // Its beginning is made now, and not when a connection comes free: that happens in the name of whoever gave it back.
    runTransaction(this, this.begin(), (client) => client.query(query, values))) as pg.Pool['query'];
}
