import { readFile } from 'node:fs/promises';
import { bindingOf } from '@kiln/domain';
import { Secret } from '@kiln/kit';
import { listSourceConnections, putSourceConnection, removeSourceConnection } from '@kiln/persistence';
import { privateKeyProblem, readKnownHosts } from '@kiln/sources';
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
        name: string,
        options: {
          tls: 'verify' | 'skip-verify' | 'http';
          ca?: string;
          username?: string;
          key?: string;
          knownHosts?: string;
        },
      ) => {
        const { id: accountId } = await account(owner);
        const host = name.toLowerCase();
        const read = (file: string | undefined) =>
          file === undefined ? Promise.resolve(null) : readFile(file, 'utf8');
        const seal = (text: string) => sealer.seal(new Secret(text), bindingOf('sourceConnection', accountId, host));
        const password = process.env['KILN_SOURCE_PASSWORD'];
        if (options.username !== undefined && !password)
          throw new Error('with --username, set the password in KILN_SOURCE_PASSWORD');
        const [caPem, key, knownHosts] = await Promise.all([
          read(options.ca),
          read(options.key),
          read(options.knownHosts),
        ]);
        if (knownHosts !== null && readKnownHosts(knownHosts).length === 0)
          throw new Error(`${options.knownHosts} has no key of a host; print them with: ssh-keyscan ${host}`);
        const problem = key === null ? undefined : privateKeyProblem(key);
        if (problem !== undefined) throw new Error(`${options.key}: ${problem}`);
        await putSourceConnection(db, {
          accountId,
          host,
          tlsMode: options.tls,
          caPem,
          username: options.username ?? null,
          passwordSealed: options.username !== undefined && password ? seal(password) : null,
          keySealed: key === null ? null : seal(key),
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
