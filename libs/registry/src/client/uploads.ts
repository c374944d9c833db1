/** Where the last piece of an upload goes: its address, with the digest of the whole. */
export const withDigest = (location: string, digest: string): string =>
  `${location}${location.includes('?') ? '&' : '?'}digest=${encodeURIComponent(digest)}`;
