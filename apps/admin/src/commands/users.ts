import { addMember, createUser, inTransaction } from '@kiln/persistence';
import { type Role, roles } from '@kiln/domain';
import { Option } from 'commander';
import type { CommandContext, CommandRoots } from './context.ts';

/** Users of an account. */
export function userCommands({ create }: CommandRoots, context: CommandContext): void {
  const { db, print, account } = context;

  create
    .command('user <account> <name>')
    .addOption(
      new Option('--role <role>', 'viewers read; operators and admins act in every workspace')
        .choices(roles)
        .default('developer' satisfies Role),
    )
    .option('--workspace <id...>', 'workspaces that the user belongs to')
    .action(async (owner: string, name: string, options: { role: Role; workspace?: string[] }) => {
      const { id: accountId } = await account(owner);
      const made = await inTransaction(db, async (tx) => {
        const created = await createUser(tx, accountId, name, options.role);
        for (const id of options.workspace ?? []) await addMember(tx, accountId, id, created.id);
        return created;
      });
      print(made);
    });
}
