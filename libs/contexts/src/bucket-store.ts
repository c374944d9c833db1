import { createReadStream } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { S3Client, S3ServiceException } from '@aws-sdk/client-s3';
import { Fault, filesIn, readEntries, writeEntries } from '@kiln/domain';
import { openBucket } from './bucket.ts';
import { forEachOf, inOrder, openWriters } from './file-writer.ts';
import {
  checkAccount,
  contextId,
  type ContextStore,
  isContextId,
  type KeptFile,
  noContext,
  settledMs,
} from './store.ts';
import { openUsage } from './usage.ts';

export interface BucketSettings {
  /** `bucket` or `bucket/prefix`. */
  place: string;
  /** Of a store that is not AWS: `https://HOST#REGION`, with `{bucket}` in the host where buckets have hosts. */
  endpoint?: string | undefined;
}

/** Requests at once, for what may be thousands of small files. */
const atOnce = 48;
const triesMax = 3;
/** How often files are looked for that no list was ever made of. */
const wholeCollectionMs = 86_400_000;

function clientOf({ endpoint }: BucketSettings): S3Client {
  const common = {
    maxAttempts: 4,
    requestHandler: { connectionTimeout: 5000, requestTimeout: 60_000 },
    // Stores other than AWS do not all know its newer checksums.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
  } as const;
  if (endpoint === undefined) return new S3Client(common);
  const [address = '', region = 'us-east-1'] = endpoint.split('#');
  const ownHosts = address.includes('{bucket}.');
  return new S3Client({ ...common, endpoint: address.replace('{bucket}.', ''), region, forcePathStyle: !ownHosts });
}

/**
 * Opens a store in a bucket of something that speaks S3. Credentials are looked for as AWS's own programs do.
 * @throws Error when the bucket cannot be used
 */
export async function openBucketStore(settings: BucketSettings): Promise<ContextStore> {
  const [name = '', ...prefix] = settings.place.replace(/\/+$/, '').split('/');
  const bucket = openBucket(clientOf(settings), name);
  const root = prefix.map((it) => `${it}/`).join('');
  try {
    await bucket.check();
  } catch (error) {
    throw new Error(`the bucket ${name} cannot be used: ${wordsOf(error)}`, { cause: error });
  }
  const incoming = await mkdtemp(join(tmpdir(), 'kiln-incoming-'));

  const keyOf = (account: string, kind: 'files' | 'contexts', digest: string): string => {
    checkAccount(account);
    return `${root}${kind}/${account}/${digest}`;
  };
  const collected = new Map<string, number>();
  const usage = openUsage(async (account) => {
    let bytes = 0;
    for await (const it of bucket.list(keyOf(account, 'files', ''))) bytes += it.size;
    return bytes;
  });
  /** Whether an object is there; if so, it stays for an hour. */
  const stays = async (key: string, size: number): Promise<boolean> => {
    const found = await bucket.head(key);
    if (found?.size !== size) return false;
    return Date.now() - found.at < settledMs / 2 || (await bucket.touch(key));
  };
  const keep = async (account: string, { sha256, size }: KeptFile, content: () => Buffer | Readable): Promise<void> => {
    const key = keyOf(account, 'files', sha256);
    if (await stays(key, size)) return;
    // The client itself does not send a stream twice.
    for (let tried = 1; ; tried += 1)
      try {
        await bucket.put(key, content(), size);
        break;
      } catch (error) {
        if (tried === triesMax) throw error;
        await sleep(200 * 2 ** tried);
      }
    usage.add(account, size);
  };

  const write = openWriters(incoming, atOnce);

  return {
    uploads: join(incoming, 'uploads'),
    write(account) {
      const files = write({
        bytes: (kept, content) => keep(account, kept, () => content),
        file: (kept, path) => keep(account, kept, () => createReadStream(path)),
      });
      return { put: (...given) => told(files.put(...given)), done: () => told(files.done()) };
    },
    async missing(account, files) {
      const found = new Set<string>();
      const look = async ({ sha256, size }: KeptFile): Promise<void> => {
        if (!(await stays(keyOf(account, 'files', sha256), size))) found.add(sha256);
      };
      await told(forEachOf(files, atOnce, look));
      return inOrder(files, found);
    },
    read(account, sha256) {
      const out = new PassThrough();
      bucket
        .get(keyOf(account, 'files', sha256))
        .then((body) => {
          if (!body) throw new Fault('ContextNotFound', `the file ${sha256} of a context is not kept any more`);
          return pipeline(body, out);
        })
        .catch((error: unknown) => out.destroy(unavailable(error)));
      return out;
    },
    async putEntries(account, entries) {
      const id = contextId(entries);
      const text = Buffer.from(writeEntries(entries));
      await told(bucket.put(keyOf(account, 'contexts', id.slice('sha256:'.length)), text, text.length));
      return id;
    },
    async entries(account, id) {
      if (!isContextId.test(id)) throw noContext(id);
      const text = await told(bucket.text(keyOf(account, 'contexts', id.slice('sha256:'.length))));
      if (text === undefined) throw noContext(id);
      return readEntries(text);
    },
    async collect(account, ids) {
      // Beyond the hour that is promised: what is younger than half of it is not touched.
      const before = Date.now() - 1.5 * settledMs;
      const old: string[] = [];
      const inUse = new Set<string>();
      const lists: string[] = [];
      for await (const it of bucket.list(keyOf(account, 'contexts', ''))) {
        if (!ids.has(`sha256:${it.key.slice(it.key.lastIndexOf('/') + 1)}`) && it.at < before) old.push(it.key);
        else lists.push(it.key);
      }
      // Reading every list is worth it only when some files may be in none.
      const isWhole = Date.now() - (collected.get(account) ?? 0) > wholeCollectionMs;
      if (old.length === 0 && !isWhole) return;
      await forEachOf(lists, atOnce, async (key) => {
        for (const it of filesIn(readEntries((await bucket.text(key)) ?? ''))) inUse.add(it.sha256);
      });
      for await (const it of bucket.list(keyOf(account, 'files', '')))
        if (!inUse.has(it.key.slice(it.key.lastIndexOf('/') + 1)) && it.at < before) old.push(it.key);
      // What was asked for meanwhile stays.
      await forEachOf(old, atOnce, async (key) => {
        const now = await bucket.head(key);
        if (now && now.at < before) await bucket.remove(key);
      });
      collected.set(account, Date.now());
      usage.forget(account);
    },
    usage: (account) => told(usage.of(account)),
    async accounts() {
      const found = await Promise.all(['files', 'contexts'].map((kind) => bucket.folders(`${root}${kind}/`)));
      return [...new Set(found.flat())];
    },
  };
}

const wordsOf = (error: unknown): string => {
  if (error instanceof S3ServiceException) return `${error.name}: ${error.message}`;
  return error instanceof Error ? error.message || error.name : String(error);
};

/** What a request hears that failed for the bucket's sake. */
const unavailable = (error: unknown): Fault =>
  error instanceof Fault
    ? error
    : new Fault('ServiceUnavailable', `the store of build contexts failed: ${wordsOf(error)}`, {}, error);

const told = <T>(work: Promise<T>): Promise<T> =>
  work.catch((error: unknown) => {
    throw unavailable(error);
  });
