import { readFile } from 'node:fs/promises';
import { Secret } from '@kiln/kit';
import { putRegistryConnection, removeRegistryConnection } from '@kiln/persistence';
import { Option } from 'commander';
import { type CommandContext, type CommandRoots } from './context.ts';
import { bindingOf } from '@kiln/domain';

/** Registry connections of an account. */
export function registryCommands({ program }: CommandRoots, context: CommandContext): void {
  const { db, sealer, print, account } = context;

  const registry = program.command('registry').description('registry connections of an account');
  registry
    .command('put <account> <id> <host>')
    .description(
      'add or replace a connection; PAI names it as TargetRegistry.InstanceId. The password is read from KILN_REGISTRY_PASSWORD',
    )
    .addOption(
      new Option('--tls <mode>', 'how to connect').choices(['verify', 'skip-verify', 'http']).default('verify'),
    )
    .option('--ca <file>', 'PEM file of the CA to trust')
    .option('--username <name>')
    .action(
      async (
        owner: string,
        id: string,
        host: string,
        options: { tls: 'verify' | 'skip-verify' | 'http'; ca?: string; username?: string },
      ) => {
        const { id: accountId } = await account(owner);
        const password = process.env['KILN_REGISTRY_PASSWORD'];
        if (options.username !== undefined && !password)
          throw new Error('with --username, set the password in KILN_REGISTRY_PASSWORD');
        const passwordSealed =
          options.username !== undefined && password
            ? sealer.seal(new Secret(password), bindingOf('registryConnection', accountId, id))
            : null;
        const caPem = options.ca === undefined ? null : await readFile(options.ca, 'utf8');
        await putRegistryConnection(db, {
          accountId,
          id,
          host,
          tlsMode: options.tls,
          caPem,
          username: options.username ?? null,
          passwordSealed,
        });
        print({ id, host, tls: options.tls });
      },
    );
  registry
    .command('remove <account> <id>')
    .action(async (owner: string, id: string) =>
      print({ removed: await removeRegistryConnection(db, (await account(owner)).id, id) }),
    );
}
