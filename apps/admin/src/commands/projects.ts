import { createProject, createWorkspace, inTransaction } from '@kiln/persistence';
import type { CommandContext, CommandRoots } from './context.ts';

/** Projects and workspaces of an account. */
export function projectCommands({ create }: CommandRoots, context: CommandContext): void {
  const { db, print, account } = context;

  create
    .command('project <account> <name>')
    .description('a project with a default workspace')
    .action(async (owner: string, name: string) => {
      const { id } = await account(owner);
      print(await inTransaction(db, (tx) => createProject(tx, id, name)));
    });
  create
    .command('workspace <account> <project-id> <name>')
    .action(async (owner: string, projectId: string, name: string) =>
      print(await createWorkspace(db, (await account(owner)).id, projectId, name)),
    );
}
