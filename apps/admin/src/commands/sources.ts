import { Secret } from '@kiln/kit';
import { listSourceConnections, removeSourceConnection } from '@kiln/persistence';
import { connectSource } from '@kiln/usecases';
import { type AccessOptions, addAccessOptions, readAccess, readOption } from './access-options.ts';
import type { CommandContext, CommandRoots } from './context.ts';

/** Hosts that builds of an account fetch contexts from. */
export function sourceCommands({ program }: CommandRoots, context: CommandContext): void {
  const { db, sealer, print, account } = context;

  const source = program
    .command('source')
    .description('hosts from which builds of an account fetch contexts: git servers, and stores of archives');
  addAccessOptions(source.command('put <account> <host>'))
    .description(
      'add or replace one. A password, a token or a secret key is read from KILN_SOURCE_PASSWORD; a store of archives has its access key as username',
    )
    .option('--key <file>', 'private key for ssh, without a passphrase')
    .option('--known-hosts <file>', 'keys of the host, as ssh-keyscan prints them')
    .action(async (owner: string, host: string, options: AccessOptions & { key?: string; knownHosts?: string }) => {
      const { id: accountId } = await account(owner);
      const access = await readAccess(options, 'KILN_SOURCE_PASSWORD');
      const [key, knownHosts] = await Promise.all([readOption(options.key), readOption(options.knownHosts)]);
      const privateKey = key === undefined ? undefined : new Secret(key);
      await connectSource({ db, sealer }, accountId, { host, ...access, privateKey, knownHosts });
      print({ host, tls: options.tls });
    });
  source.command('list <account>').action(async (owner: string) =>
    print(
      (await listSourceConnections(db, (await account(owner)).id)).map((it) => ({
        host: it.host,
        tls: it.tlsMode,
        username: it.username,
        key: it.keySealed !== null,
        knownHosts: it.knownHosts !== null,
      })),
    ),
  );
  source
    .command('remove <account> <host>')
    .action(async (owner: string, host: string) =>
      print({ removed: await removeSourceConnection(db, (await account(owner)).id, host.toLowerCase()) }),
    );
}
