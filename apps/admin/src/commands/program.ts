import type { Sealer } from '@kiln/auth';
import type { Secret } from '@kiln/kit';
import {
  type App,
  cutAction,
  type Database,
  findAccount,
  listAppRoles,
  migrateDatabase,
  recordAudit,
} from '@kiln/persistence';
import { Command } from 'commander';
import { accountCommands } from './accounts.ts';
import { auditCommands } from './audit.ts';
import { openContext } from './context.ts';
import { firstBuildCommands } from './first-build.ts';
import { identityCommands } from './identities.ts';
import { jailCommands, type JailSettings } from './jail.ts';
import { keyCommands } from './keys.ts';
import { projectCommands } from './projects.ts';
import { quarantineCommands } from './quarantine.ts';
import { registryCommands } from './registries.ts';
import { secretCommands } from './secrets.ts';
import { sourceCommands } from './sources.ts';
import { userCommands } from './users.ts';
import { workerCommands } from './workers.ts';

export interface AdminDeps {
  db: Database;
  sealer: Sealer;
  /** Where results go, one JSON document each. */
  print: (result: unknown) => void;
  /** Where text goes that is not a result. */
  say: (text: string) => void;
  /** Passwords of the apps' users of PostgreSQL, of those that are to be set. */
  appPasswords: Partial<Record<App, Secret | undefined>>;
  jail: JailSettings;
  /** Closed addresses that registries may have all the same. */
  openAddresses: readonly string[];
}

/** Commands that change nothing. */
const readOnly = new Set([
  'first-build',
  'list',
  'workers',
  'quarantine list',
  'secret list',
  'source list',
  'audit list',
  'audit verify',
  // It is in the log by its own doing.
  cutAction,
  'jail show',
  'registry staging-tags',
]);

/** The operator's commands. Secrets are shown once, when they are made. */
export function adminCommands({ db, sealer, appPasswords, jail, openAddresses, print: show, say }: AdminDeps): Command {
  const program = new Command('admin')
    .description('makes, lists and revokes what Kiln knows of its users')
    .showHelpAfterError();

  // What a command made; of a result, nothing else goes on record: the rest may be a secret.
  let made: string | undefined;
  const print = (result: unknown): void => {
    const { id, accessKeyId, as } = (result ?? {}) as Record<string, unknown>;
    made = [accessKeyId, as, id].find((it) => typeof it === 'string');
    show(result);
  };
  // Whatever changes something is on record. Secrets are never options: they come by the environment.
  program.hook('postAction', async (_program, command) => {
    const words: string[] = [];
    for (let it: Command | null = command; it?.parent; it = it.parent) words.unshift(it.name());
    const action = words.join(' ');
    if (readOnly.has(action)) return;
    const namesAccount = command.registeredArguments[0]?.name() === 'account' || action === 'create account';
    const [owner] = namesAccount ? command.args : [];
    const options: Record<string, unknown> = command.opts();
    await recordAudit(db, {
      accountId: owner === undefined ? null : ((await findAccount(db, owner))?.id ?? null),
      actor: 'operator',
      action,
      target: command.args.join(' '),
      outcome: 'ok',
      details: { ...(Object.keys(options).length > 0 ? { options } : {}), ...(made === undefined ? {} : { made }) },
    });
  });

  program
    .command('migrate')
    .description("bring the database schema, and what the apps' users may do with it, up to date")
    .action(async () => {
      await migrateDatabase(db, appPasswords);
      print({ migrated: true, users: await listAppRoles(db) });
    });

  const create = program.command('create').description('make something new');
  const context = openContext({ db, sealer, print, say, openAddresses });
  const nouns = [
    accountCommands,
    projectCommands,
    userCommands,
    keyCommands,
    registryCommands,
    workerCommands,
    quarantineCommands,
    secretCommands,
    sourceCommands,
    auditCommands,
    identityCommands,
    firstBuildCommands,
  ];
  for (const add of nouns) add({ program, create }, context);
  jailCommands(program, jail, print);
  return program;
}
