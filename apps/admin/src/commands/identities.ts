import { listIdentities, revoke, type RevocableKind } from '@kiln/persistence';
import type { CommandContext, CommandRoots } from './context.ts';

const kinds = ['account', 'user', 'project', 'workspace', 'key', 'token'] as const satisfies RevocableKind[];

/** Shows and revokes what the other commands have made. */
export function identityCommands({ program }: CommandRoots, context: CommandContext): void {
  const { db, print, account } = context;

  program
    .command('list <kind>')
    .description(`show all of a kind: ${[...kinds, 'registry'].join(', ')}`)
    .option('--account <name>', 'of this account only')
    .action(async (kind: RevocableKind | 'registry', options: { account?: string }) => {
      if (![...kinds, 'registry'].includes(kind))
        throw new Error(`kind must be one of ${[...kinds, 'registry'].join(', ')}`);
      print(
        await listIdentities(db, kind, options.account === undefined ? undefined : (await account(options.account)).id),
      );
    });
  program
    .command('revoke <kind> <id>')
    .description('make something invalid for good; it stops working within two seconds')
    .action(async (kind: RevocableKind, id: string) => {
      if (!kinds.includes(kind)) throw new Error(`kind must be one of ${kinds.join(', ')}`);
      if (!(await revoke(db, kind, id))) throw new Error(`there is no ${kind} ${id}, or it was revoked before`);
      print({ revoked: id });
    });
}
