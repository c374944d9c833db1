/** One key that a host is known by. */
export interface HostKey {
  type: string;
  key: Buffer;
}

/**
 * Keys of a host as OpenSSH's known_hosts and `ssh-keyscan` have them. They are stored for one host, so that the names
 * in them do not matter.
 */
export function readKnownHosts(text: string): HostKey[] {
  const found: HostKey[] = [];
  for (const line of text.split('\n')) {
    if (/^\s*(?:#|@)/.test(line)) continue;
    const [, type, key] =
      /(?:^|\s)(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp\d{3})\s+([A-Za-z0-9+/=]{40,4000})(?:\s|$)/.exec(line) ?? [];
    if (type !== undefined && key !== undefined) found.push({ type, key: Buffer.from(key, 'base64') });
  }
  return found;
}

/** What to ask a host to prove itself with, so that it shows a key that is known. */
export const algorithmsOf = (keys: readonly HostKey[]): string[] => [
  ...new Set(keys.flatMap(({ type }) => (type === 'ssh-rsa' ? ['rsa-sha2-512', 'rsa-sha2-256'] : [type]))),
];
