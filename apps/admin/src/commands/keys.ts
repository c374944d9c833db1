import { newAccessKey, newTemporaryKey } from '@kiln/auth';
import { expireKey, inTransaction, insertAccessKey } from '@kiln/persistence';
import { bindingOf, type Scope, scopes } from '@kiln/domain';
import { makeToken } from '@kiln/usecases';
import { Option } from 'commander';
import type { CommandContext, CommandRoots } from './context.ts';
import { wholeNumber } from './whole-number.ts';

const scopeOption = () =>
  new Option('--scope <scope...>', 'what alone it is good for; otherwise all that the user may do').choices(scopes);

const days = wholeNumber('days', 1, 3650);
const hours = wholeNumber('hours', 1, 36);

/** Access keys and tokens. */
export function keyCommands({ program, create }: CommandRoots, context: CommandContext): void {
  const { db, sealer, print, account, user } = context;

  create
    .command('key <account> [user]')
    .description('an access key for signed requests')
    .option('--hours <n>', 'a temporary key, with the security token that must come with it', hours)
    .addOption(scopeOption())
    .action(async (owner: string, name: string | undefined, options: { hours?: number; scope?: Scope[] }) => {
      const { id: accountId } = await account(owner);
      const { id: userId } = await user(accountId, name ?? 'admin');
      const temporary = options.hours === undefined ? undefined : newTemporaryKey();
      const { id, secret } = temporary ?? newAccessKey();
      const expiresAt = options.hours === undefined ? null : new Date(Date.now() + options.hours * 3_600_000);
      await insertAccessKey(db, {
        id,
        accountId,
        userId,
        secretSealed: sealer.seal(secret, bindingOf('accessKey', id)),
        securityTokenHash: temporary?.securityTokenHash ?? null,
        scopes: options.scope ?? null,
        expiresAt,
      });
      const rest = temporary ? { securityToken: temporary.securityToken.reveal(), expiresAt } : {};
      print({ accessKeyId: id, accessKeySecret: secret.reveal(), ...rest });
    });
  create
    .command('token <account> [user]')
    .description('an opaque token for Authorization: Bearer and X-Auth-Token')
    .option('--days <n>', 'days until it expires', days, 90)
    .addOption(scopeOption())
    .action(async (owner: string, name: string | undefined, options: { days: number; scope?: Scope[] }) => {
      const { id: accountId } = await account(owner);
      const { id: userId } = await user(accountId, name ?? 'admin');
      const { id, token, expiresAt } = await makeToken(
        db,
        { accountId, userId },
        { days: options.days, scopes: options.scope },
      );
      print({ id, token: token.reveal(), expiresAt });
    });

  program
    .command('rotate-key <id>')
    .description('another key for the same user with the same scopes; the old one works for some hours more')
    .option('--overlap <hours>', 'hours that both work', wholeNumber('hours', 0, 24 * 90), 24)
    .action(async (id: string, options: { overlap: number }) => {
      const made = newAccessKey();
      const old = await inTransaction(db, async (tx) => {
        const found = await expireKey(tx, id, options.overlap);
        if (!found) throw new Error(`there is no lasting key ${id} that is still good`);
        await insertAccessKey(tx, {
          id: made.id,
          accountId: found.accountId,
          userId: found.userId,
          scopes: found.scopes,
          secretSealed: sealer.seal(made.secret, bindingOf('accessKey', made.id)),
        });
        return found;
      });
      print({ accessKeyId: made.id, accessKeySecret: made.secret.reveal(), old: { id, expiresAt: old.expiresAt } });
    });
}
