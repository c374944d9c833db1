import { type GitAddress, Fault, isCommit, parseGitAddress } from '@kiln/domain';
import type { AddressRules } from '@kiln/registry';
import type { SourceAccesses } from '../access.ts';
import { findCommit } from './find-commit.ts';
import { openHttpRemote } from './http-remote.ts';
import type { GitRemote } from './remote.ts';
import { openSshRemote } from './ssh-remote.ts';

/** @throws Fault SourceInvalid */
export function requireGitAddress(url: string): GitAddress {
  const address = parseGitAddress(url);
  if (!address) throw new Fault('SourceInvalid', `${url.slice(0, 200)} is no repository by https or ssh`);
  return address;
}

export function openGitRemote(url: string, accesses: SourceAccesses, rules: AddressRules): GitRemote {
  const address = requireGitAddress(url);
  const access = accesses(address.host);
  return address.protocol === 'https' ? openHttpRemote(address, access, rules) : openSshRemote(address, access, rules);
}

/**
 * The commit that a branch or tag stands for now.
 * @param ref the repository's default branch when left out; a whole commit is taken as it is
 * @throws Fault SourceNotFound, SourceDenied, SourceUnreachable, SourceInvalid, AddressNotAllowed
 */
export async function resolveCommit(remote: GitRemote, ref: string | undefined, signal: AbortSignal): Promise<string> {
  const advertised = await remote.advertise(signal);
  const found = await findCommit(advertised, ref);
  advertised.destroy();
  if (found !== undefined) return found;
  if (ref !== undefined && isCommit(ref)) return ref;
  if (ref === undefined) throw new Fault('SourceNotFound', 'the repository is empty: it has no default branch');
  throw new Fault(
    'SourceNotFound',
    /^[0-9a-f]{4,39}$/.test(ref)
      ? `the repository has no branch and no tag ${ref}; a commit is named by all of its digits`
      : `the repository has no branch and no tag ${ref}`,
  );
}
