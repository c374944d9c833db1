import { createAccount, putAccountLimits, setOperates } from '@kiln/persistence';
import type { CommandContext, CommandRoots } from './context.ts';
import { wholeNumber } from './whole-number.ts';

const builds = wholeNumber('builds', 0, 1_000_000);
const images = wholeNumber('entries', 0, 100_000_000);

/** Accounts, and what each may use. */
export function accountCommands({ program, create }: CommandRoots, context: CommandContext): void {
  const { db, print, account } = context;

  create
    .command('account <name>')
    .description('an account with a first admin user, project and workspace')
    .action(async (name: string) => print(await createAccount(db, name)));

  program
    .command('limits <account>')
    .description('set what an account may use; what is left out stays as it is')
    .option('--weight <n>', 'its share against the others', wholeNumber('shares', 1, 1000))
    .option('--running <n>', 'builds at once; 0 for no limit', builds)
    .option('--waiting <n>', 'builds that may wait; 0 for no limit', builds)
    .option('--daily <n>', 'builds that are accepted within 24 hours; 0 for no limit', builds)
    .option('--images <n>', 'entries in the catalogue; 0 for no limit', images)
    .action(async (owner: string, options: Record<string, number | undefined>) => {
      const { weight, running, waiting, daily, images: entries } = options;
      const { id } = await account(owner);
      print({
        account: id,
        ...(await putAccountLimits(db, id, {
          ...(weight === undefined ? {} : { weight }),
          ...(running === undefined ? {} : { runningMax: running }),
          ...(waiting === undefined ? {} : { waitingMax: waiting }),
          ...(daily === undefined ? {} : { dailyMax: daily }),
          ...(entries === undefined ? {} : { imagesMax: entries }),
        })),
      });
    });

  program
    .command('operates <account>')
    .description("let an account's operators and admins run the installation: see its workers and queues")
    .option('--revoke', 'take it away again')
    .action(async (owner: string, options: { revoke?: boolean }) => {
      const { id } = await account(owner);
      const operates = options.revoke !== true;
      await setOperates(db, id, operates);
      print({ account: id, operates });
    });
}
