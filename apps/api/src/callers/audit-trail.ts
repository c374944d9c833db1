import type { Logger } from '@kiln/kit';
import { type AuditEntry, type Database, recordAudit } from '@kiln/persistence';

/**
 * Writes what callers change to the audit log, a few times a second and not in each request: entries are chained, so
 * that they are written one after the other. A process that is killed loses those of the last moment.
 */
export interface AuditTrail {
  record(entry: AuditEntry): void;
  close: () => Promise<void>;
}

/** Entries of this time are written together. */
const gatherMs = 250;
/** While PostgreSQL is away, so many wait; callers can change nothing then anyway. */
const waitingMax = 10_000;
const atOnce = 500;

export function openAuditTrail(db: Database, log: Logger): AuditTrail {
  const waiting: AuditEntry[] = [];
  let writing: Promise<void> | undefined;
  const write = async (): Promise<void> => {
    while (waiting.length > 0) {
      const batch = waiting.slice(0, atOnce);
      await recordAudit(db, ...batch);
      waiting.splice(0, batch.length);
    }
  };
  const tick = (): Promise<void> =>
    (writing ??= write()
      .catch((error: unknown) => log.warn({ err: error, waiting: waiting.length }, 'the audit log cannot be written'))
      .finally(() => {
        writing = undefined;
        if (waiting.length > 0) soon();
      }));
  let timer: NodeJS.Timeout | undefined;
  const soon = (): void => {
    timer ??= setTimeout(() => {
      timer = undefined;
      void tick();
    }, gatherMs);
  };
  return {
    record(entry) {
      if (waiting.length === waitingMax) log.error({ entry }, 'an entry of the audit log is lost: PostgreSQL is away');
      else waiting.push({ ...entry, at: new Date() });
      soon();
    },
    async close() {
      clearTimeout(timer);
      await writing;
      await tick();
    },
  };
}
