import { listBuiltRepositories, removeRegistryConnection } from '@kiln/persistence';
import { openAddressRules, openRegistryClients } from '@kiln/registry';
import { accessForImage, connectRegistry } from '@kiln/usecases';
import { Option } from 'commander';
import { type AccessOptions, addAccessOptions, readAccess } from './access-options.ts';
import type { CommandContext, CommandRoots } from './context.ts';
import { wholeNumber } from './whole-number.ts';
import { type CompressionChoice, compressionChoices, compressionLevelMax, stagingTag } from '@kiln/domain';

/** Registry connections of an account. */
export function registryCommands({ program }: CommandRoots, context: CommandContext): void {
  const { db, sealer, print, openAddresses, account } = context;

  const registry = program.command('registry').description('registry connections of an account');
  addAccessOptions(registry.command('put <account> <id> <host>'))
    .description(
      'add or replace a connection; PAI names it as TargetRegistry.InstanceId. The password is read from KILN_REGISTRY_PASSWORD, or from the file that KILN_REGISTRY_PASSWORD_FILE names',
    )
    .addOption(
      new Option('--compression <kind>', 'of new layers; auto is zstd where the registry takes it')
        .choices(compressionChoices)
        .default('gzip'),
    )
    .option(
      '--compression-level <number>',
      'from 1; gzip up to 9, zstd up to 22',
      wholeNumber('compression level', 1, compressionLevelMax.zstd),
    )
    .option('--cache-repository <name>', 'where layers are kept for builders that have not built the like')
    .action(
      async (
        owner: string,
        id: string,
        host: string,
        options: AccessOptions & {
          compression: CompressionChoice;
          compressionLevel?: number;
          cacheRepository?: string;
        },
      ) => {
        const { id: accountId } = await account(owner);
        const access = await readAccess(options, 'KILN_REGISTRY_PASSWORD');
        const { compression, compressionLevel, cacheRepository } = options;
        const packing = { compression, compressionLevel, cacheRepository };
        await connectRegistry({ db, sealer }, accountId, id, { host, ...access, ...packing });
        print({ id, host, tls: options.tls, compression: options.compression });
      },
    );
  registry
    .command('staging-tags <account>')
    .description(
      'list the tags that earlier versions set while they pushed, in the repositories of the account’s builds',
    )
    .action(async (owner: string) => {
      const { id: accountId } = await account(owner);
      const registries = openRegistryClients(openAddressRules(openAddresses));
      const found: { reference: string; digest: string }[] = [];
      try {
        for (const { host, repository } of await listBuiltRepositories(db, accountId)) {
          const access = await accessForImage(db, sealer, { accountId, host, registryConnectionId: null });
          const digest = await registries.for(access).headManifest(repository, stagingTag);
          if (digest !== undefined) found.push({ reference: `${host}/${repository}:${stagingTag}`, digest });
        }
      } finally {
        await registries.close();
      }
      print(found);
    });
  registry
    .command('remove <account> <id>')
    .action(async (owner: string, id: string) =>
      print({ removed: await removeRegistryConnection(db, (await account(owner)).id, id) }),
    );
}
