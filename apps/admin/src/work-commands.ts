import {
  cordonWorker,
  listQuarantined,
  listWorkers,
  loadBuild,
  putAccountLimits,
  setOperates,
} from '@kiln/persistence';
import { redriveBuild } from '@kiln/usecases';
import { type Command } from 'commander';
import { type CommandDeps } from './commands.ts';
import { wholeNumber } from './arguments.ts';

const builds = wholeNumber('builds', 0, 1_000_000);
const images = wholeNumber('entries', 0, 100_000_000);

/** What operators do about work: limits of accounts, workers, builds in quarantine. */
export function workCommands(
  program: Command,
  { db, sealer, print }: CommandDeps,
  account: (nameOrId: string) => Promise<{ id: string }>,
): void {
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

  program
    .command('workers')
    .description('show the builders and registrars, and which of them are alive')
    .action(async () => print(await listWorkers(db)));

  program
    .command('cordon <worker>')
    .description('have a builder take nothing new, while it ends what it has')
    .option('--undo', 'have it take work again')
    .action(async (name: string, options: { undo?: boolean }) => {
      const cordoned = options.undo !== true;
      if (!(await cordonWorker(db, name, cordoned)))
        throw new Error(`there is no builder ${name} just now; "admin workers" shows all`);
      print({ worker: name, cordoned });
    });

  const quarantine = program.command('quarantine').description('builds whose workers died too often');
  quarantine
    .command('list')
    .description('show those that nobody has run again')
    .action(async () => print(await listQuarantined(db)));
  quarantine
    .command('redrive <build>')
    .description('run one again, as a new build with the same inputs')
    .action(async (id: string) => {
      const build = await loadBuild(db, id);
      if (!build) throw new Error(`there is no build ${id}; "admin quarantine list" shows all`);
      const { buildId } = await redriveBuild({ db, sealer }, build);
      print({ redriven: id, as: buildId });
    });
}
