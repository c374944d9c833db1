import { type Credential, type Database, noteUse } from '@kiln/persistence';

/** Notes when keys and tokens were used, to within half a minute, without a write for each request. */
export interface LastUsed {
  note(credential: Credential | null): void;
  close: () => Promise<void>;
}

const writeEveryMs = 30_000;

export function openLastUsed(db: Database): LastUsed {
  let used = { key: new Set<string>(), token: new Set<string>() };
  const write = async (): Promise<void> => {
    const { key, token } = used;
    used = { key: new Set(), token: new Set() };
    try {
      await noteUse(db, { keys: [...key], tokens: [...token] });
    } catch (error) {
      for (const id of key) used.key.add(id);
      for (const id of token) used.token.add(id);
      throw error;
    }
  };
  const timer = setInterval(() => void write().catch(() => undefined), writeEveryMs);
  return {
    note(credential) {
      if (credential) used[credential.kind].add(credential.id);
    },
    async close() {
      clearInterval(timer);
      await write().catch(() => undefined);
    },
  };
}
