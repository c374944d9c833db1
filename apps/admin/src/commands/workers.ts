import { cordonWorker, forgetCache, listWorkers } from '@kiln/persistence';
import type { CommandContext, CommandRoots } from './context.ts';

/** Builders and registrars. */
export function workerCommands({ program }: CommandRoots, context: CommandContext): void {
  const { db, print } = context;

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

  program
    .command('remove-cache <worker> <account>')
    .description('have a builder remove the cache of an account, once none of the account’s builds uses it')
    .action(async (name: string, account: string) => {
      if (!(await forgetCache(db, name, account)))
        throw new Error(`there is no builder ${name} just now; "admin workers" shows all`);
      print({ worker: name, account });
    });
}
