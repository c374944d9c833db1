/** Where an archive is: at an address of HTTP, or in a bucket of a store that speaks S3. */
export type ObjectAddress =
  { kind: 'https'; url: string; host: string } | { kind: 's3' | 'oss' | 'obs'; bucket: string; key: string };

const bucketForm = /^(s3|oss|obs):\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])\/([^\s?#\p{Cc}]{1,1024})$/u;

/** @returns undefined for what is no such address, or has credentials in it */
export function parseObjectAddress(text: string): ObjectAddress | undefined {
  const [, kind, bucket = '', key = ''] = bucketForm.exec(text) ?? [];
  if (kind === 's3' || kind === 'oss' || kind === 'obs') return { kind, bucket, key };
  if (!/^https:\/\/[^\s\p{Cc}]+$/u.test(text)) return undefined;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || url.username !== '' || url.password !== '' || url.pathname === '/') return undefined;
  url.hash = '';
  return { kind: 'https', url: url.href, host: url.host };
}
