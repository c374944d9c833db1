import { type Build, type Database, readLog } from '@kiln/persistence';

/** Lines between two times, the earliest first, so that a client goes on by moving StartTime forward. */
export async function readPodLogs(
  db: Database,
  build: Build,
  query: { StartTime?: Date | undefined; EndTime?: Date | undefined; MaxLines: number },
): Promise<string[]> {
  const logs: string[] = [];
  for await (const lines of readLog(db, build.id, Math.max(1, build.attempt), 0)) {
    for (const { at, text } of lines) {
      if (query.StartTime && at < query.StartTime) continue;
      if (query.EndTime && at > query.EndTime) return logs;
      logs.push(`${at.toISOString().slice(0, 19).replace('T', ' ')} ${text}`);
      if (logs.length === query.MaxLines) return logs;
    }
  }
  return logs;
}
