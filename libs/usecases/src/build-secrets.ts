import type { Sealer } from '@kiln/auth';
import type { Secret } from '@kiln/kit';
import { type Executor, findBuildSecrets, listBuildSecrets } from '@kiln/persistence';
import { bindingOf, fieldFault, requestFields, type WantedSecret } from '@kiln/domain';

const missing = (name: string, line: number) =>
  fieldFault('BuildSecretNotFound', requestFields.dockerfile, `line ${line}: the account has no build secret ${name}`, {
    lines: [line, line],
    hint: 'an operator adds one with: admin secret put ACCOUNT NAME',
  });

type Wanted = ReadonlyMap<string, WantedSecret>;

function requireAll(wanted: Wanted, found: readonly { name: string }[]): void {
  for (const [name, { line, required }] of wanted)
    if (required && !found.some((it) => it.name === name)) throw missing(name, line);
}

/**
 * @throws Fault BuildSecretNotFound that names the first secret that a step needs and the account does not have, and
 * the line that wants it
 */
export async function requireBuildSecrets(db: Executor, accountId: string, wanted: Wanted): Promise<void> {
  if (wanted.size > 0) requireAll(wanted, await listBuildSecrets(db, accountId));
}

/**
 * Opens the secrets that a build mounts, just before they are used. Those that it can do without may be missing.
 * @throws Fault BuildSecretNotFound
 */
export async function openBuildSecrets(
  db: Executor,
  sealer: Sealer,
  accountId: string,
  wanted: Wanted,
): Promise<{ id: string; value: Secret }[]> {
  const found = await findBuildSecrets(db, accountId, [...wanted.keys()]);
  requireAll(wanted, found);
  return found.map(({ name, sealed }) => ({
    id: name,
    value: sealer.open(sealed, bindingOf('buildSecret', accountId, name)),
  }));
}
