import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { CommandError } from './exit.ts';

/** How to reach one Kiln. */
export interface Profile {
  url: string;
  token: string;
  /** What builds and images belong to when nothing else is said; the user's first workspace when left out. */
  workspace?: string;
  /** The registry connection that builds are pushed with when nothing else is said. */
  registry?: string;
}

interface Config {
  current: string;
  profiles: Record<string, Profile>;
}

/** A setting of the environment; empty is the same as not there. */
const set = (name: string): string | undefined => process.env[name] || undefined;

export const configFile = (): string =>
  set('KILN_CONFIG') ?? join(set('XDG_CONFIG_HOME') ?? join(homedir(), '.config'), 'kiln', 'config.json');

function readConfig(): Config {
  let text: string;
  try {
    text = readFileSync(configFile(), 'utf8');
  } catch {
    return { current: 'default', profiles: {} };
  }
  try {
    return JSON.parse(text) as Config;
  } catch {
    throw new CommandError(`${configFile()} is not JSON`);
  }
}

/**
 * The profile in use: `KILN_URL` and `KILN_TOKEN` go before what is kept.
 * @param name of the one that was asked for
 * @throws CommandError when there is none
 */
export function readProfile(name: string | undefined): Profile {
  const { current, profiles } = readConfig();
  const wanted = name ?? set('KILN_PROFILE') ?? current;
  const kept = profiles[wanted];
  if (!kept && name !== undefined) throw new CommandError(`there is no profile ${name} in ${configFile()}`);
  const url = set('KILN_URL') ?? kept?.url;
  const token = set('KILN_TOKEN') ?? kept?.token;
  if (!url || !token)
    throw new CommandError('not signed in', 2, 'run "kiln login URL", or set KILN_URL and KILN_TOKEN');
  const workspace = set('KILN_WORKSPACE') ?? kept?.workspace;
  const registry = set('KILN_REGISTRY') ?? kept?.registry;
  return {
    url: url.replace(/\/+$/, ''),
    token,
    ...(workspace ? { workspace } : {}),
    ...(registry ? { registry } : {}),
  };
}

/** Keeps a profile, for this user's eyes only, and makes it the one in use. */
export function writeProfile(name: string, profile: Profile): void {
  const file = configFile();
  const { profiles } = readConfig();
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const config: Config = { current: name, profiles: { ...profiles, [name]: profile } };
  writeFileSync(file, `${JSON.stringify(config, null, 2)}\n`, { mode: 0o600 });
  chmodSync(file, 0o600);
}
