import type { ContextStore } from '@kiln/contexts';
import type { Logger } from '@kiln/kit';
import type { Uploads } from './uploads.ts';
import { type Database, forgetContexts } from '@kiln/persistence';

const everyMs = 600_000;

/** Forgets contexts whose time is over, and their files. Several processes may do so at once. */
export function sweepContexts(
  db: Database,
  store: ContextStore,
  uploads: Uploads,
  log: Logger,
): { close(): Promise<void> } {
  let sweeping = Promise.resolve();
  const sweep = async (): Promise<void> => {
    const left = await forgetContexts(db);
    await uploads.sweep().catch((error: unknown) => log.warn({ err: error }, 'uploads not swept'));
    for (const account of await store.accounts())
      await store
        .collect(account, left.get(account) ?? new Set())
        .catch((error: unknown) => log.warn({ err: error, account }, 'contexts of an account not swept'));
  };
  const timer = setInterval(() => {
    sweeping = sweep().catch((error: unknown) => log.warn({ err: error }, 'contexts not swept'));
  }, everyMs);
  return {
    close() {
      clearInterval(timer);
      return sweeping;
    },
  };
}
