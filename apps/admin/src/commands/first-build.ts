import { firstCalls } from '@kiln/contract';
import { findDefaultWorkspace, listRegistryConnections } from '@kiln/persistence';
import type { CommandContext, CommandRoots } from './context.ts';

/** What a new account types first. */
export function firstBuildCommands({ program }: CommandRoots, { db, say, account, user }: CommandContext): void {
  program
    .command('first-build <account> [user]')
    .description('show the commands of a first build and of a first registration')
    .option('--url <url>', 'where the api is reached', 'http://127.0.0.1:8080')
    .option('--base <image>', 'image to build from', 'docker.io/library/busybox:latest')
    .action(async (owner: string, name: string | undefined, { url, base }: { url: string; base: string }) => {
      const { id } = await account(owner);
      const { id: userId, role } = await user(id, name ?? 'admin');
      const [connection] = await listRegistryConnections(db, id);
      if (!connection)
        throw new Error(`the account has no registry connection; "admin registry put ${owner} ID HOST" makes one`);
      const workspace = await findDefaultWorkspace(db, { accountId: id, userId, role });
      if (!workspace) throw new Error('the user has no workspace; "admin create workspace" makes one');
      const calls = firstCalls({
        url: url.replace(/\/+$/, ''),
        workspaceId: workspace.id,
        projectId: workspace.projectId,
        connectionId: connection.id,
        base,
        target: `${connection.host}/demo/mine:v1`,
      });
      say(`# a token: admin create token ${owner}\nexport KILN_TOKEN=...\n`);
      for (const { heading, commands } of calls) say([`# ${heading}`, ...commands, ''].join('\n'));
    });
}
