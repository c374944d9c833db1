import type { AddressRules } from '@kiln/registry';
import type { SourceAccesses } from './access.ts';
import { openGitRemote } from './git/git.ts';
import { type Lfs, openLfs } from './git/lfs.ts';
import type { GitRemote } from './git/remote.ts';
import { openObject, type SourceObject } from './object/object.ts';
import type { ObjectStores } from './object/object-stores.ts';

/** Where contexts may be fetched from; each that is opened is to be closed. */
export interface Sources {
  /** @throws Fault SourceInvalid */
  git(url: string, accesses: SourceAccesses): GitRemote;
  /** @throws Fault SourceInvalid */
  lfs(url: string, accesses: SourceAccesses): Lfs;
  /** @throws Fault SourceInvalid */
  object(url: string, accesses: SourceAccesses): SourceObject;
}

export const openSources = (rules: AddressRules, stores: ObjectStores): Sources => ({
  git: (url, accesses) => openGitRemote(url, accesses, rules),
  lfs: (url, accesses) => openLfs(url, accesses, rules),
  object: (url, accesses) => openObject(url, accesses, rules, stores),
});
