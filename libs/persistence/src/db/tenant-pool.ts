import { AsyncLocalStorage } from 'node:async_hooks';
import pg from 'pg';

/** What a session sees that sees the rows of every account. */
export const allTenants = '*';

const acting = new AsyncLocalStorage<string>();

/** The account that is being acted for; nobody's when there is none. */
export const actor = (): string => acting.getStore() ?? '';

/**
 * Does `work` with the rows of one account in sight and no others, whatever its statements ask for. A query is asked
 * when it is awaited, not when it is made: so `work` is awaited in here.
 */
export const actingFor = <T>(accountId: string, work: () => T | PromiseLike<T>): Promise<T> =>
  acting.run(accountId, async () => await work());

/** Does `work` with the rows of all accounts in sight: for what one account shows to all others, and nothing else. */
export const acrossAccounts = <T>(work: () => T | PromiseLike<T>): Promise<T> => actingFor(allTenants, work);

/** A connection's option that says whose rows it sees. */
export const tenantOption = (accountId: string): string => `-c kiln.account=${accountId}`;

type Done = (
  error: Error | undefined,
  client: pg.PoolClient | undefined,
  release: (error?: Error | boolean) => void,
) => void;

/**
 * A pool whose connections see the rows of the account that is being acted for (`actingFor`), and none where there is
 * no such account. A connection remembers whose rows it sees: as long as that stays the same, nothing is asked.
 */
export class TenantPool extends pg.Pool {
  readonly #scope = new WeakMap<pg.PoolClient, string>();

  override connect(): Promise<pg.PoolClient>;
  override connect(done: Done): void;
  override connect(done?: Done): Promise<pg.PoolClient> | void {
    // Now, and not when a connection comes free: that happens in the name of whoever gave it back.
    const walled = this.#scoped(actor());
    if (!done) return walled;
    walled.then(
      (client) => done(undefined, client, (error) => client.release(error)),
      (error: Error) => done(error, undefined, () => undefined),
    );
  }

  async #scoped(accountId: string): Promise<pg.PoolClient> {
    const client = await super.connect();
    if (this.#scope.get(client) === accountId) return client;
    try {
      await client.query("SELECT set_config('kiln.account', $1, false)", [accountId]);
    } catch (error) {
      client.release(true);
      throw error;
    }
    this.#scope.set(client, accountId);
    return client;
  }
}
