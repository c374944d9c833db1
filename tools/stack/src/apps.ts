import { join } from 'node:path';
import { asRoot } from './parts.ts';
import { appUrls } from './app-logins.ts';
import { logTail, type Managed, startProcess } from './processes.ts';
import { root } from './root.ts';

/** Settings that all three apps share. The servers' addresses are those of their owner; each app signs in as itself. */
export interface AppEnvironment {
  KILN_DATABASE_URL: string;
  /** Left out where the queue is in PostgreSQL. */
  KILN_REDIS_URL?: string;
  KILN_SEALING_KEY: string;
  [name: string]: string;
}

/** Starts an app; the builder needs root, since its engine does. */
export function startApp(
  stackDir: string,
  app: 'api' | 'builder' | 'registrar',
  settings: AppEnvironment,
  name: string = app,
): Managed {
  const env = { ...settings, ...appUrls(settings, app) };
  const command = [process.execPath, join(root, `apps/${app}/dist/main.js`)];
  const names = Object.keys(env).join(',');
  const [first = '', ...rest] = app === 'builder' ? asRoot([]) : [];
  const full = first === 'sudo' ? ['sudo', '-n', `--preserve-env=KILN_STACK,${names}`, ...rest, ...command] : command;
  return startProcess(stackDir, name, full, { env });
}

/** Starts the API and waits until it answers. */
export async function startApi(
  stackDir: string,
  env: AppEnvironment,
  port: number,
  name = 'api',
): Promise<{ server: Managed; url: string }> {
  const server = startApp(stackDir, 'api', { ...env, KILN_API_PORT: String(port) }, name);
  const url = `http://127.0.0.1:${port}`;
  let over = false;
  void server.ended.then(() => (over = true));
  for (let tries = 0; tries < 200 && !over; tries += 1) {
    const ready = await fetch(`${url}/readyz`).catch(() => undefined);
    if (ready?.ok) return { server, url };
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`the api did not start:\n${logTail(server)}`);
}
