import { type Database, runPrepared } from '../db/database.ts';

/** Remembers which nonces each access key has used. */
export interface NonceStore {
  /** @returns false when this key has used the nonce before */
  use(accessKeyId: string, nonce: string): Promise<boolean>;
}

interface Waiting {
  accessKeyId: string;
  nonce: string;
  resolve: (fresh: boolean) => void;
  reject: (error: unknown) => void;
}

const statement = `
  INSERT INTO request_nonces (access_key_id, nonce, expires_at)
  SELECT key, nonce, now() + make_interval(secs => $3) FROM unnest($1::text[], $2::text[]) AS used (key, nonce)
  ON CONFLICT DO NOTHING RETURNING access_key_id, nonce`;

const nameOf = (it: { accessKeyId: string; nonce: string }): string => `${it.accessKeyId} ${it.nonce}`;

/**
 * Requests that come together share one statement: while one is under way, the next ones gather.
 * @param keepSeconds how long a nonce is remembered
 */
export function openNonceStore(db: Database, keepSeconds: number): NonceStore {
  let waiting: Waiting[] = [];
  let busy = false;

  const flush = async (): Promise<void> => {
    busy = true;
    while (waiting.length > 0) {
      const batch = waiting;
      waiting = [];
      // In one order everywhere: two processes that write the same nonces must not wait for each other in a circle.
      const once = [...new Map(batch.map((it) => [nameOf(it), it])).entries()]
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([, it]) => it);
      try {
        const values = [once.map((it) => it.accessKeyId), once.map((it) => it.nonce), keepSeconds];
        const { rows } = await runPrepared<{ access_key_id: string; nonce: string }>(
          db,
          'use-nonces',
          statement,
          values,
        );
        const fresh = new Set(rows.map((it) => nameOf({ accessKeyId: it.access_key_id, nonce: it.nonce })));
        // Of two equal ones in a batch, the first has it.
        for (const it of batch) it.resolve(fresh.delete(nameOf(it)));
      } catch (error) {
        for (const it of batch) it.reject(error);
      }
    }
    busy = false;
  };

  return {
    use: (accessKeyId, nonce) =>
      new Promise((resolve, reject) => {
        waiting.push({ accessKeyId, nonce, resolve, reject });
        if (!busy) void flush();
      }),
  };
}
