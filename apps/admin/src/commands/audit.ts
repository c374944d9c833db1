import { open } from 'node:fs/promises';
import { cutAudit, listAudit, verifyAudit } from '@kiln/persistence';
import type { CommandContext, CommandRoots } from './context.ts';
import { wholeNumber } from './whole-number.ts';

/** The record of who did what. */
export function auditCommands({ program }: CommandRoots, context: CommandContext): void {
  const { db, print, account } = context;

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
    .command('cut <file>')
    .description('write the oldest entries to a new file, a line of JSON each, and remove them; the log says so itself')
    .requiredOption('--days <n>', 'those that are older', wholeNumber('days', 30, 36_500))
    .action(async (path: string, { days }: { days: number }) => {
      const file = await open(path, 'wx', 0o600);
      try {
        const before = new Date(Date.now() - days * 86_400_000);
        const cut = await cutAudit(db, before, async (entries) => {
          await file.writeFile(entries.map((it) => `${JSON.stringify(it)}\n`).join(''));
          // On the disk before they are removed.
          await file.sync();
        });
        print({ file: path, ...(cut ?? { removed: 0 }) });
      } finally {
        await file.close();
      }
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
