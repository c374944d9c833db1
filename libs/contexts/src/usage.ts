/** How long a count is believed, in milliseconds: other processes keep and remove files, too. */
const countedMs = 300_000;

/** Remembers what accounts' files take, between two counts. */
export function openUsage(count: (account: string) => Promise<number>) {
  const known = new Map<string, { bytes: number; untilMs: number }>();
  return {
    async of(account: string): Promise<number> {
      const found = known.get(account);
      if (found && found.untilMs > performance.now()) return found.bytes;
      const bytes = await count(account);
      known.set(account, { bytes, untilMs: performance.now() + countedMs });
      return bytes;
    },
    add(account: string, bytes: number): void {
      const found = known.get(account);
      if (found) found.bytes += bytes;
    },
    forget: (account: string): void => void known.delete(account),
  };
}
