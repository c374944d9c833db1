import { dim } from './style.ts';

/** Columns as wide as what is in them. */
export function table(head: string[], rows: string[][]): string {
  const widths = head.map((it, column) => Math.max(it.length, ...rows.map((row) => row[column]?.length ?? 0)));
  const line = (cells: string[]) =>
    cells
      .map((it, column) => it.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd();
  return [dim(line(head), process.stdout), ...rows.map(line)].join('\n');
}

/** How long ago something was. */
export function ago(time: string, now = Date.now()): string {
  const minutes = Math.floor((now - Date.parse(time)) / 60_000);
  if (minutes < 1) return 'now';
  if (minutes < 60) return `${minutes} min ago`;
  return minutes < 48 * 60 ? `${Math.floor(minutes / 60)} h ago` : `${Math.floor(minutes / 1440)} days ago`;
}
