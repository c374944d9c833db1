import { Secret } from '@kiln/kit';
import { listBuildSecrets, removeBuildSecret, resealAll } from '@kiln/persistence';
import type { CommandContext, CommandRoots } from './context.ts';
import { givenSecret } from './given-secret.ts';
import { keepSecret } from '@kiln/usecases';

/** Build secrets, and the key that seals all secrets. */
export function secretCommands({ program }: CommandRoots, context: CommandContext): void {
  const { db, sealer, print, account } = context;

  const secret = program
    .command('secret')
    .description('what the builds of an account may mount: RUN --mount=type=secret,id=NAME');
  secret
    .command('put <account> <name>')
    .description('add or replace one; its value is read from KILN_BUILD_SECRET, or KILN_BUILD_SECRET_FILE')
    .action(async (owner: string, name: string) => {
      const value = await givenSecret('KILN_BUILD_SECRET');
      if (!value) throw new Error('set KILN_BUILD_SECRET to 1 to 65536 bytes');
      const { id: accountId } = await account(owner);
      await keepSecret({ db, sealer }, accountId, name, new Secret(value));
      print({ account: accountId, name });
    });
  secret
    .command('list <account>')
    .action(async (owner: string) => print(await listBuildSecrets(db, (await account(owner)).id)));
  secret
    .command('remove <account> <name>')
    .action(async (owner: string, name: string) =>
      print({ removed: await removeBuildSecret(db, (await account(owner)).id, name) }),
    );

  program
    .command('reseal')
    .description(
      'seal every secret anew with KILN_SEALING_KEY; afterwards KILN_SEALING_KEYS_OLD is not needed any more',
    )
    .action(async () => {
      const reseal = (sealed: string, boundTo: string) => sealer.seal(sealer.open(sealed, boundTo), boundTo);
      const { resealed, unopened } = await resealAll(db, sealer.keyId, reseal);
      print({ key: sealer.keyId, resealed, unopened });
      if (unopened.length > 0)
        throw new Error(`no key opens ${unopened.length} secrets; leave the old keys where they are`);
    });
}
