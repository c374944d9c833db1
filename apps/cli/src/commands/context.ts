import type { Command } from 'commander';
import { type Api, answer, openApi } from '../api.ts';
import { type Profile, readProfile } from '../profile.ts';

/** What every command works with; nobody has to be signed in before it is asked for. */
export interface Session {
  profile: Profile;
  api: Api;
}

/** The profile that the command line names. */
export function sessionOf(command: Command): Session {
  const { profile: name } = command.optsWithGlobals<{ profile?: string }>();
  const profile = readProfile(name);
  return { profile, api: openApi(profile) };
}

/** Who the token stands for, and what it may use. */
export const whoAmI = (api: Api) => answer(api.GET('/api/v1/session'));

/** Prints a result for people, or as JSON where that was asked for. */
export function print(command: Command, result: unknown, text: () => string): void {
  const { output } = command.optsWithGlobals<{ output?: 'json' | 'ndjson' }>();
  if (output === undefined) return void console.log(text());
  const items = output === 'ndjson' && Array.isArray(result) ? (result as unknown[]) : [result];
  for (const it of items) console.log(output === 'ndjson' ? JSON.stringify(it) : JSON.stringify(it, null, 2));
}
