import { readFile } from 'node:fs/promises';
import { Secret } from '@kiln/kit';
import {
  listAudit,
  listBuildSecrets,
  putBuildSecret,
  removeBuildSecret,
  resealAll,
  verifyAudit,
} from '@kiln/persistence';
import { buildSecretBinding } from '@kiln/usecases';
import { type Command } from 'commander';
import { type CommandDeps } from './commands.ts';
import { wholeNumber } from './arguments.ts';

/** What operators do about secrets, and about the record of who did what. */
export function secretCommands(
  program: Command,
  { db, sealer, print }: CommandDeps,
  account: (nameOrId: string) => Promise<{ id: string }>,
): void {
  const secret = program
    .command('secret')
    .description('what the builds of an account may mount: RUN --mount=type=secret,id=NAME');
  secret
    .command('put <account> <name>')
    .description('add or replace one; its value is read from KILN_BUILD_SECRET, or KILN_BUILD_SECRET_FILE')
    .action(async (owner: string, name: string) => {
      const { KILN_BUILD_SECRET: given, KILN_BUILD_SECRET_FILE: file } = process.env;
      const value = given ?? (file === undefined ? undefined : await readFile(file, 'utf8'));
      if (!/^[A-Za-z0-9._-]{1,64}$/.test(name))
        throw new Error('a name has 1 to 64 letters, digits, dots, hyphens or underscores');
      if (!value || Buffer.byteLength(value) > 65_536) throw new Error('set KILN_BUILD_SECRET to 1 to 65536 bytes');
      const { id: accountId } = await account(owner);
      const sealed = sealer.seal(new Secret(value), buildSecretBinding(accountId, name));
      await putBuildSecret(db, { accountId, name, sealed });
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

  const audit = program.command('audit').description('the record of who did what');
  audit
    .command('list')
    .description('the newest entries first')
    .option('--account <name>', 'of this account only')
    .option('--limit <n>', 'so many', wholeNumber('entries', 1, 10_000), 100)
    .option('--before <id>', 'older than this entry', wholeNumber('an entry', 1, Number.MAX_SAFE_INTEGER))
    .action(async (options: { account?: string; limit: number; before?: number }) => {
      const accountId = options.account === undefined ? undefined : (await account(options.account)).id;
      const { limit, before } = options;
      print(
        await listAudit(db, {
          limit,
          ...(accountId === undefined ? {} : { accountId }),
          ...(before === undefined ? {} : { before }),
        }),
      );
    });
  audit
    .command('verify')
    .description('work out every hash again; an entry that was changed or removed shows')
    .action(async () => {
      const result = await verifyAudit(db);
      print(result);
      if (result.brokenAt !== null) throw new Error(`the audit log is broken at entry ${result.brokenAt}`);
    });
}
