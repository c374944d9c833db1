import { readFile } from 'node:fs/promises';
import { newAccessKey, newTemporaryKey, newToken, type Sealer } from '@kiln/auth';
import { Secret } from '@kiln/kit';
import {
  addMember,
  type App,
  createAccount,
  createProject,
  createUser,
  createWorkspace,
  type Database,
  expireKey,
  findAccount,
  findUser,
  inTransaction,
  insertAccessKey,
  insertToken,
  listAppRoles,
  listIdentities,
  migrateDatabase,
  putRegistryConnection,
  recordAudit,
  removeRegistryConnection,
  revoke,
  type RevocableKind,
} from '@kiln/persistence';
import { connectionBinding } from '@kiln/usecases';
import { type Role, roles, type Scope, scopes } from '@kiln/domain';
import { Command, Option } from 'commander';
import { wholeNumber } from './arguments.ts';
import { secretCommands } from './secret-commands.ts';
import { workCommands } from './work-commands.ts';

/** What every command works with. */
export interface CommandDeps {
  db: Database;
  sealer: Sealer;
  /** Where results go, one JSON document each. */
  print: (result: unknown) => void;
}

export interface AdminDeps extends CommandDeps {
  /** Passwords of the apps' users of PostgreSQL, of those that are to be set. */
  appPasswords: Partial<Record<App, Secret | undefined>>;
}

const kinds = ['account', 'user', 'project', 'workspace', 'key', 'token'] as const satisfies RevocableKind[];

/** Commands that change nothing. */
const readOnly = new Set(['list', 'workers', 'quarantine list', 'secret list', 'audit list', 'audit verify']);

const scopeOption = () =>
  new Option('--scope <scope...>', 'what alone it is good for; otherwise all that the user may do').choices(scopes);

const days = wholeNumber('days', 1, 3650);
const hours = wholeNumber('hours', 1, 36);

/** The operator's commands. Secrets are shown once, when they are made. */
export function adminCommands({ db, sealer, appPasswords, print: show }: AdminDeps): Command {
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

  const account = async (nameOrId: string) => {
    const found = await findAccount(db, nameOrId);
    if (!found) throw new Error(`there is no account ${nameOrId}; "admin list account" shows all`);
    return found;
  };
  const user = async (accountId: string, nameOrId: string) => {
    const found = await findUser(db, accountId, nameOrId);
    if (!found) throw new Error(`the account has no user ${nameOrId}; "admin list user" shows all`);
    return found;
  };

  program
    .command('migrate')
    .description("bring the database schema, and what the apps' users may do with it, up to date")
    .action(async () => {
      await migrateDatabase(db, appPasswords);
      print({ migrated: true, users: await listAppRoles(db) });
    });

  const create = program.command('create').description('make something new');
  create
    .command('account <name>')
    .description('an account with a first admin user, project and workspace')
    .action(async (name: string) => print(await createAccount(db, name)));
  create
    .command('project <account> <name>')
    .description('a project with a default workspace')
    .action(async (owner: string, name: string) => {
      const { id } = await account(owner);
      print(await inTransaction(db, (tx) => createProject(tx, id, name)));
    });
  create
    .command('workspace <account> <project-id> <name>')
    .action(async (owner: string, projectId: string, name: string) =>
      print(await createWorkspace(db, (await account(owner)).id, projectId, name)),
    );
  create
    .command('user <account> <name>')
    .addOption(
      new Option('--role <role>', 'viewers read; operators and admins act in every workspace')
        .choices(roles)
        .default('developer' satisfies Role),
    )
    .option('--workspace <id...>', 'workspaces that the user belongs to')
    .action(async (owner: string, name: string, options: { role: Role; workspace?: string[] }) => {
      const { id: accountId } = await account(owner);
      const made = await inTransaction(db, async (tx) => {
        const created = await createUser(tx, accountId, name, options.role);
        for (const id of options.workspace ?? []) await addMember(tx, accountId, id, created.id);
        return created;
      });
      print(made);
    });
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
        secretSealed: sealer.seal(secret, `access-key:${id}`),
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
      const { id, token, hash } = newToken();
      const expiresAt = new Date(Date.now() + options.days * 86_400_000);
      await insertToken(db, { id, accountId, userId, hash, scopes: options.scope ?? null, expiresAt });
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
          secretSealed: sealer.seal(made.secret, `access-key:${made.id}`),
        });
        return found;
      });
      print({ accessKeyId: made.id, accessKeySecret: made.secret.reveal(), old: { id, expiresAt: old.expiresAt } });
    });

  const registry = program.command('registry').description('registry connections of an account');
  registry
    .command('put <account> <id> <host>')
    .description(
      'add or replace a connection; PAI names it as TargetRegistry.InstanceId. The password is read from KILN_REGISTRY_PASSWORD',
    )
    .addOption(
      new Option('--tls <mode>', 'how to connect').choices(['verify', 'skip-verify', 'http']).default('verify'),
    )
    .option('--ca <file>', 'PEM file of the CA to trust')
    .option('--username <name>')
    .action(
      async (
        owner: string,
        id: string,
        host: string,
        options: { tls: 'verify' | 'skip-verify' | 'http'; ca?: string; username?: string },
      ) => {
        const { id: accountId } = await account(owner);
        const password = process.env['KILN_REGISTRY_PASSWORD'];
        if (options.username !== undefined && !password)
          throw new Error('with --username, set the password in KILN_REGISTRY_PASSWORD');
        const passwordSealed =
          options.username !== undefined && password
            ? sealer.seal(new Secret(password), connectionBinding(accountId, id))
            : null;
        const caPem = options.ca === undefined ? null : await readFile(options.ca, 'utf8');
        await putRegistryConnection(db, {
          accountId,
          id,
          host,
          tlsMode: options.tls,
          caPem,
          username: options.username ?? null,
          passwordSealed,
        });
        print({ id, host, tls: options.tls });
      },
    );
  registry
    .command('remove <account> <id>')
    .action(async (owner: string, id: string) =>
      print({ removed: await removeRegistryConnection(db, (await account(owner)).id, id) }),
    );

  workCommands(program, { db, sealer, print }, account);
  secretCommands(program, { db, sealer, print }, account);

  program
    .command('list <kind>')
    .description(`show all of a kind: ${[...kinds, 'registry'].join(', ')}`)
    .option('--account <name>', 'of this account only')
    .action(async (kind: RevocableKind | 'registry', options: { account?: string }) => {
      if (![...kinds, 'registry'].includes(kind))
        throw new Error(`kind must be one of ${[...kinds, 'registry'].join(', ')}`);
      print(
        await listIdentities(db, kind, options.account === undefined ? undefined : (await account(options.account)).id),
      );
    });
  program
    .command('revoke <kind> <id>')
    .description('make something invalid for good; it stops working within two seconds')
    .action(async (kind: RevocableKind, id: string) => {
      if (!kinds.includes(kind)) throw new Error(`kind must be one of ${kinds.join(', ')}`);
      if (!(await revoke(db, kind, id))) throw new Error(`there is no ${kind} ${id}, or it was revoked before`);
      print({ revoked: id });
    });
  return program;
}
