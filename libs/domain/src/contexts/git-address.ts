/** Where a repository is, as clients of git write it. */
export interface GitAddress {
  protocol: 'https' | 'ssh';
  /** With its port, where that is written. */
  host: string;
  /** Whom ssh logs in as. */
  user: string;
  /** Below the host, with the slash that it begins with, if any: `/team/app.git`. */
  path: string;
}

/** What a repository's address may say behind it, as docker reads it: `#main:services/api`, `?ref=main&subdir=api`. */
export interface GitTarget {
  url: string;
  ref?: string;
  subPath?: string;
  submodules?: boolean;
}

const host = '(?:[A-Za-z0-9](?:[A-Za-z0-9.-]{0,250}[A-Za-z0-9])?|\\[[0-9A-Fa-f:.]{2,45}\\])';
const user = '[A-Za-z0-9_][A-Za-z0-9._-]{0,63}';
// No quotes, which a shell on the other side would read, and nothing that is taken for an option.
const path = '[^\\s\'"\\\\`$\\p{Cc}?#-][^\\s\'"\\\\`$\\p{Cc}?#]{0,1000}';
const httpsForm = new RegExp(`^https://(${host}(?::\\d{1,5})?)(/${path})$`, 'u');
const sshForm = new RegExp(`^ssh://(?:(${user})@)?(${host}(?::\\d{1,5})?)(/${path})$`, 'u');
/** As scp writes it: `git@example.com:team/app.git`. */
const scpForm = new RegExp(`^(${user})@(${host}):(?!/{2})(${path})$`, 'u');

/** @returns undefined for what is no address of a repository by https or ssh */
export function parseGitAddress(text: string): GitAddress | undefined {
  const https = httpsForm.exec(text);
  if (https) return { protocol: 'https', host: (https[1] ?? '').toLowerCase(), user: '', path: https[2] ?? '' };
  const ssh = sshForm.exec(text);
  if (ssh) return { protocol: 'ssh', host: (ssh[2] ?? '').toLowerCase(), user: ssh[1] ?? 'git', path: ssh[3] ?? '' };
  const scp = scpForm.exec(text);
  return scp
    ? { protocol: 'ssh', host: (scp[2] ?? '').toLowerCase(), user: scp[1] ?? '', path: scp[3] ?? '' }
    : undefined;
}

/** Whether a text is meant as a repository, and not as a folder. */
export const isGitUrl = (text: string): boolean => parseGitAddress(splitGitUrl(text).url) !== undefined;

/** Takes apart what follows a repository's address. */
export function splitGitUrl(text: string): GitTarget {
  const [, url = '', query = '', fragment = ''] = /^([^?#]*)(?:\?([^#]*))?(?:#(.*))?$/s.exec(text) ?? [];
  const asked = new URLSearchParams(query);
  const colon = fragment.indexOf(':');
  const ref =
    asked.get('ref') ?? asked.get('branch') ?? asked.get('tag') ?? (colon < 0 ? fragment : fragment.slice(0, colon));
  const folder = asked.get('subdir') ?? (colon < 0 ? '' : fragment.slice(colon + 1));
  const subPath = folder.replace(/^\/+|\/+$/g, '');
  const submodules = asked.get('submodules');
  return {
    url,
    ...(ref === '' ? {} : { ref }),
    ...(subPath === '' ? {} : { subPath }),
    ...(submodules === null ? {} : { submodules: submodules !== '0' && submodules !== 'false' }),
  };
}

/** Whether git takes a text for the name of a branch or tag, or for a commit. */
export const isGitRef = (text: string): boolean =>
  /^[^\s~^:?*[\\\p{Cc}-][^\s~^:?*[\\\p{Cc}]{0,254}$/u.test(text) && !/\.\.|@\{|\/\/|\/$|\.lock$|\.$/.test(text);

/** A commit, as it is written out: 40 digits, or 64 where a repository has SHA-256. */
export const isCommit = (text: string): boolean => /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(text);

/** A submodule's address, which may be one beside its parent's: `../lib.git`. */
export function resolveGitUrl(parent: GitAddress, written: string): string {
  if (!/^\.\.?\//.test(written)) return written;
  const parts = parent.path.split('/');
  for (const it of written.split('/'))
    if (it === '..') parts.pop();
    else if (it !== '.') parts.push(it);
  const below = parts.join('/').replace(/^\/?/, '/');
  return parent.protocol === 'https' ? `https://${parent.host}${below}` : `ssh://${parent.user}@${parent.host}${below}`;
}
