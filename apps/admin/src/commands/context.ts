import type { Sealer } from '@kiln/auth';
import type { Role } from '@kiln/domain';
import { type Database, findAccount, findUser } from '@kiln/persistence';
import type { Command } from 'commander';

/** Where commands are added: to the program itself, or to its `create`. */
export interface CommandRoots {
  program: Command;
  create: Command;
}

/** What every command works with. */
export interface CommandContext {
  db: Database;
  sealer: Sealer;
  /** Where results go, one JSON document each. */
  print: (result: unknown) => void;
  /** Prints text as it is. */
  say: (text: string) => void;
  /** Closed addresses that registries may have all the same. */
  openAddresses: readonly string[];
  /** @throws Error when there is none */
  account: (nameOrId: string) => Promise<{ id: string }>;
  /** @throws Error when the account has none */
  user: (accountId: string, nameOrId: string) => Promise<{ id: string; role: Role }>;
}

export const openContext = ({
  db,
  sealer,
  print,
  say,
  openAddresses,
}: Pick<CommandContext, 'db' | 'sealer' | 'print' | 'say' | 'openAddresses'>): CommandContext => ({
  db,
  sealer,
  print,
  say,
  openAddresses,
  async account(nameOrId) {
    const found = await findAccount(db, nameOrId);
    if (!found) throw new Error(`there is no account ${nameOrId}; "admin list account" shows all`);
    return found;
  },
  async user(accountId, nameOrId) {
    const found = await findUser(db, accountId, nameOrId);
    if (!found) throw new Error(`the account has no user ${nameOrId}; "admin list user" shows all`);
    return found;
  },
});
