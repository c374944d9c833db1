import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from './processes.ts';
import type { ProvisionedAccount } from './provision.ts';

/** What a local stack keeps between starts: its secrets, its ports, and who was made at the first start. */
export interface LocalState {
  postgresPassword: string;
  redisPassword: string;
  sealingKey: string;
  ports: Record<string, number>;
  demo?: ProvisionedAccount;
}

const fileOf = (dir: string) => join(dir, 'state.json');

export function readState(dir: string): LocalState {
  mkdirSync(join(dir, 'logs'), { recursive: true });
  chmodSync(join(dir, 'logs'), 0o700);
  if (existsSync(fileOf(dir))) return JSON.parse(readFileSync(fileOf(dir), 'utf8')) as LocalState;
  const password = () => randomBytes(18).toString('base64url');
  return {
    postgresPassword: password(),
    redisPassword: password(),
    sealingKey: randomBytes(32).toString('base64'),
    ports: {},
  };
}

export const writeState = (dir: string, state: LocalState): void =>
  writeFileSync(fileOf(dir), JSON.stringify(state, null, 2), { mode: 0o600 });

/** The port that a server had last time, if it is free, so that references to it stay true. */
export async function portFor(state: LocalState, name: string): Promise<number> {
  const port = await freePort(state.ports[name]);
  state.ports[name] = port;
  return port;
}
