import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import type { Command } from 'commander';
import { openApi, send } from '../api.ts';
import { CommandError } from '../exit.ts';
import { configFile, writeProfile } from '../profile.ts';
import { green, red } from '../show/style.ts';
import { print, sessionOf, whoAmI } from './context.ts';

/** Reads a token that nobody sees being typed, or a line of the standard input. */
async function readToken(): Promise<string> {
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  if (process.stdin.isTTY) process.stderr.write('Token: ');
  const asking = createInterface({ input: process.stdin, output: silent, terminal: process.stdin.isTTY });
  const text = await asking.question('');
  asking.close();
  if (process.stdin.isTTY) process.stderr.write('\n');
  return text.trim();
}

/** Commands about who is signed in, and where. */
export function loginCommands(program: Command): void {
  program
    .command('login <url>')
    .description('keep the address of a Kiln, and a token, which is read from the terminal or KILN_TOKEN')
    .option('--workspace <id>', 'for builds that name none')
    .option('--registry <id>', 'registry connection for builds that name none')
    .action(async (url: string, options: { workspace?: string; registry?: string }, command: Command) => {
      const { profile: name = 'default' } = command.optsWithGlobals<{ profile?: string }>();
      const token = process.env['KILN_TOKEN'] || (await readToken());
      if (token === '') throw new CommandError('the token is empty');
      if (!/^https?:\/\//.test(url)) throw new CommandError(`${url} is no address: it begins with http:// or https://`);
      const profile = {
        url: url.replace(/\/+$/, ''),
        token,
        ...(options.workspace === undefined ? {} : { workspace: options.workspace }),
        ...(options.registry === undefined ? {} : { registry: options.registry }),
      };
      const who = await whoAmI(openApi(profile));
      writeProfile(name, profile);
      print(command, who, () => `signed in as ${who.User} of ${who.Account}; kept in ${configFile()}`);
    });

  program
    .command('whoami')
    .description('show who is signed in, and what they may use')
    .action(async (_options: object, command: Command) => {
      const { profile, api } = sessionOf(command);
      const who = await whoAmI(api);
      print(command, who, () =>
        [
          `${who.User} (${who.Role}) of ${who.Account} at ${profile.url}`,
          `workspaces: ${who.Workspaces.map((it) => `${it.Name} ${it.WorkspaceId}`).join(', ') || 'none'}`,
          `registries: ${who.Registries.map((it) => `${it.InstanceId} ${it.Host}`).join(', ') || 'none'}`,
        ].join('\n'),
      );
    });

  program
    .command('doctor')
    .description('check that builds can work from here')
    .action(async (_options: object, command: Command) => {
      const check = async (what: string, work: () => Promise<string>): Promise<boolean> =>
        work().then(
          (found) => (console.log(`${green('✔', process.stdout)} ${what}: ${found}`), true),
          (error: unknown) => {
            console.log(
              `${red('✘', process.stdout)} ${what}: ${error instanceof Error ? error.message : String(error)}`,
            );
            return false;
          },
        );
      const { profile, api } = sessionOf(command);
      const results = [
        await check('api', async () => {
          await send(profile, '/readyz');
          return `${profile.url} takes work`;
        }),
        await check('token', async () => {
          const who = await whoAmI(api);
          if (who.Registries.length === 0) throw new CommandError('the account has no registry connection');
          if (who.Role === 'viewer') throw new CommandError('the user is a viewer, and submits no builds');
          return `${who.User} of ${who.Account}, with ${who.Registries.map((it) => it.Host).join(', ')}`;
        }),
        await check('contexts', async () => {
          await send(profile, '/api/v1/contexts?Limit=1');
          return 'folders can be sent';
        }),
      ];
      if (results.includes(false)) throw new CommandError('not all is well');
    });
}
