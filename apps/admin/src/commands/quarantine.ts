import { listQuarantined, loadBuild } from '@kiln/persistence';
import { redriveBuild } from '@kiln/usecases';
import type { CommandContext, CommandRoots } from './context.ts';

/** Builds whose workers died too often. */
export function quarantineCommands({ program }: CommandRoots, context: CommandContext): void {
  const { db, sealer, print } = context;

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
