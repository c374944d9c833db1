// Started by the builder. Kills the processes of an attempt whose lease has not been renewed in time, even when the
// builder itself hangs or is stopped. It says nothing and needs nothing; when the builder ends, it ends too.
import type { WatchdogMessage } from './watchdog.ts';

/** Between two looks, while there is somebody to watch, and while there is nobody. */
const busyMs = 100;
const idleMs = 2000;

interface Watched {
  untilMs: number;
  pids: Set<number>;
}

const watched = new Map<string, Watched>();

const kill = (pid: number) => {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // ended by itself
  }
};

process.on('message', (message: WatchdogMessage) => {
  if (watched.size === 0) lookAfter(busyMs);
  switch (message.kind) {
    case 'renewed':
      for (const id of message.ids) {
        const it = watched.get(id) ?? { untilMs: 0, pids: new Set() };
        watched.set(id, { ...it, untilMs: Math.max(it.untilMs, message.untilMs) });
      }
      return;
    case 'started':
      watched.get(message.id)?.pids.add(message.pid);
      return;
    case 'ended':
      watched.get(message.id)?.pids.delete(message.pid);
      return;
    case 'released':
      watched.delete(message.id);
      return;
  }
});
// The builder has ended; the kernel has ended its builds. One that ended before this process listened is found gone
// below.
process.on('disconnect', () => process.exit(0));
// Meant for the builder, which may need its builds to go on for a while.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);

let timer: NodeJS.Timeout | undefined;
function lookAfter(ms: number): void {
  clearTimeout(timer);
  timer = setTimeout(look, ms);
}
function look(): void {
  if (!process.connected) process.exit(0);
  const now = monotonicMs();
  for (const { untilMs, pids } of watched.values()) if (now > untilMs) pids.forEach(kill);
  lookAfter(watched.size > 0 ? busyMs : idleMs);
}
lookAfter(busyMs);

function monotonicMs(): number {
  return Number(process.hrtime.bigint() / 1_000_000n);
}
