/** A store that speaks S3, as an operator connects it. */
export interface ObjectStore {
  /** With `{bucket}` in its host where buckets have hosts of their own. */
  endpoint: string;
  region: string;
}

export type StoreKind = 's3' | 'oss' | 'obs';
export type ObjectStores = Partial<Record<StoreKind, ObjectStore>>;

/**
 * Reads `KILN_OBJECT_STORES`: `s3=https://s3.example.com,oss=https://{bucket}.oss-cn-hangzhou.aliyuncs.com#cn-hangzhou`;
 * what stands behind `#` is the region that requests are signed for, `us-east-1` when left out.
 * @throws Error that says what is wrong with it
 */
export function readObjectStores(text: string): ObjectStores {
  const stores: ObjectStores = {};
  for (const part of text.split(',').filter((it) => it.trim() !== '')) {
    const [, kind, endpoint = '', region = 'us-east-1'] =
      /^\s*(s3|oss|obs)=(https?:\/\/[^\s#]+?)\/*(?:#([\w-]{1,64}))?\s*$/.exec(part) ?? [];
    if (kind === undefined || !URL.canParse(endpoint.replace('{bucket}', 'bucket')))
      throw new Error(`KILN_OBJECT_STORES: ${part.trim()} is not s3=https://HOST#REGION, oss=… or obs=…`);
    stores[kind as StoreKind] = { endpoint, region };
  }
  return stores;
}
