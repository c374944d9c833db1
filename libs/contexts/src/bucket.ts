import type { Readable } from 'node:stream';
import {
  CopyObjectCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  paginateListObjectsV2,
  PutObjectCommand,
  type S3Client,
  S3ServiceException,
} from '@aws-sdk/client-s3';

/** An object, without what is in it. */
export interface FoundObject {
  key: string;
  size: number;
  /** When it was written, in milliseconds since 1970. */
  at: number;
}

const isMissing = (error: unknown): boolean =>
  error instanceof S3ServiceException && error.$metadata.httpStatusCode === 404;

const orUndefined = <T>(work: Promise<T>): Promise<T | undefined> =>
  work.catch((error: unknown) => {
    if (isMissing(error)) return undefined;
    throw error;
  });

/** The few things that a store does with a bucket. What is not there is undefined. */
export function openBucket(client: S3Client, bucket: string) {
  const get = async (key: string) =>
    (await orUndefined(client.send(new GetObjectCommand({ Bucket: bucket, Key: key }))))?.Body;
  return {
    /** @throws what the store says of it */
    check: async (): Promise<void> => void (await client.send(new HeadBucketCommand({ Bucket: bucket }))),
    async head(key: string): Promise<FoundObject | undefined> {
      const found = await orUndefined(client.send(new HeadObjectCommand({ Bucket: bucket, Key: key })));
      return found && { key, size: found.ContentLength ?? 0, at: found.LastModified?.getTime() ?? 0 };
    },
    async put(key: string, body: Buffer | Readable, size: number): Promise<void> {
      await client.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: body, ContentLength: size }));
    },
    /** As if it had been written now. @returns whether it is there */
    async touch(key: string): Promise<boolean> {
      const copy = new CopyObjectCommand({
        Bucket: bucket,
        Key: key,
        CopySource: `${bucket}/${key}`,
        MetadataDirective: 'REPLACE',
      });
      return (await orUndefined(client.send(copy))) !== undefined;
    },
    get: async (key: string): Promise<Readable | undefined> => (await get(key)) as Readable | undefined,
    text: async (key: string): Promise<string | undefined> => (await get(key))?.transformToString('utf-8'),
    async *list(prefix: string): AsyncGenerator<FoundObject> {
      for await (const page of paginateListObjectsV2({ client }, { Bucket: bucket, Prefix: prefix }))
        for (const it of page.Contents ?? [])
          yield { key: it.Key ?? '', size: it.Size ?? 0, at: it.LastModified?.getTime() ?? 0 };
    },
    /** Names of what stands like folders below a prefix. */
    async folders(prefix: string): Promise<string[]> {
      const found: string[] = [];
      for await (const page of paginateListObjectsV2({ client }, { Bucket: bucket, Prefix: prefix, Delimiter: '/' }))
        for (const it of page.CommonPrefixes ?? []) found.push((it.Prefix ?? '').slice(prefix.length, -1));
      return found;
    },
    /** One by one: for several at once, some stores ask for a checksum that the client does not send. */
    remove: async (key: string): Promise<void> =>
      void (await client.send(new DeleteObjectCommand({ Bucket: bucket, Key: key }))),
  };
}
