import { readFile } from 'node:fs/promises';
import { Secret } from '@kiln/kit';
import { listSourceConnections, removeSourceConnection } from '@kiln/persistence';
import { connectSource } from '@kiln/usecases';
import { Option } from 'commander';
import { type CommandContext, type CommandRoots } from './context.ts';

/** Hosts that builds of an account fetch contexts from. */
export function sourceCommands({ program }: CommandRoots, context: CommandContext): void {
  const { db, sealer, print, account } = context;

  const source = program
    .command('source')
    .description('hosts from which builds of an account fetch contexts: git servers, and stores of archives');
  source
    .command('put <account> <host>')
    .description(
      'add or replace one. A password, a token or a secret key is read from KILN_SOURCE_PASSWORD; a store of archives has its access key as username',
    )
    .addOption(
      new Option('--tls <mode>', 'how to connect').choices(['verify', 'skip-verify', 'http']).default('verify'),
    )
    .option('--ca <file>', 'PEM file of the CA to trust')
    .option('--username <name>')
    .option('--key <file>', 'private key for ssh, without a passphrase')
    .option('--known-hosts <file>', 'keys of the host, as ssh-keyscan prints them')
    .action(
      async (
        owner: string,
        host: string,
        options: {
          tls: 'verify' | 'skip-verify' | 'http';
          ca?: string;
          username?: string;
          key?: string;
          knownHosts?: string;
        },
      ) => {
        const { id: accountId } = await account(owner);
        const read = async (file: string | undefined) => (file === undefined ? undefined : readFile(file, 'utf8'));
        const password = process.env['KILN_SOURCE_PASSWORD'];
        if (options.username !== undefined && !password)
          throw new Error('with --username, set the password in KILN_SOURCE_PASSWORD');
        const [caPem, key, knownHosts] = await Promise.all([
          read(options.ca),
          read(options.key),
          read(options.knownHosts),
        ]);
        await connectSource({ db, sealer }, accountId, {
          host,
          tlsMode: options.tls,
          caPem,
          username: options.username,
          password: options.username !== undefined && password ? new Secret(password) : undefined,
          privateKey: key === undefined ? undefined : new Secret(key),
          knownHosts,
        });
        print({ host, tls: options.tls });
      },
    );
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
