import { randomBytes } from 'node:crypto';
import type { Readable } from 'node:stream';
import type { ContextStore } from '@kiln/contexts';
import { Fault } from '@kiln/domain';
import type { ContextRules } from '@kiln/kit';
import { FileStore } from '@tus/file-store';
import { Server } from '@tus/server';

/** How long an archive may take until it has come whole, in milliseconds. */
const keptMs = 86_400_000;

/** Archives of an account that may be on their way at once. */
const onTheirWayMax = 100;

export const uploadsPath = '/api/v1/contexts/uploads';

/** Archives that come in pieces, each in a file, until a context is made of them. */
export interface Uploads {
  /** Answers a request of the tus protocol. @throws Fault UploadNotFound, UploadConflict, ContextTooLarge */
  answer(accountId: string, request: Request): Promise<Response>;
  /**
   * Does something with an archive that has come whole, which is removed when that is done.
   * @throws Fault UploadNotFound, UploadConflict
   */
  take<T>(accountId: string, id: string, work: (archive: Readable) => Promise<T>): Promise<T>;
  /** Removes what has taken too long. */
  sweep(): Promise<void>;
}

const notFound = (id: string): Fault =>
  new Fault('UploadNotFound', `the account has no upload ${id}; one that is not finished in a day is removed`);

/** What the protocol's server says, as an error of ours. */
function refusal(status: number, text: string, id: string): Fault {
  const why = text.trim();
  if (status === 404 || status === 410) return notFound(id);
  if (status === 409 || status === 423) return new Fault('UploadConflict', `${why}: ask for the offset by HEAD`);
  if (status === 413) return new Fault('ContextTooLarge', `${why}: Upload-Length`);
  if (status < 500 || status === 501) return new Fault('InvalidParameter', `the upload cannot be taken: ${why}`);
  return new Fault('ServiceUnavailable', why);
}

export function openUploads(store: Pick<ContextStore, 'uploads' | 'usage'>, rules: ContextRules): Uploads {
  const files = new FileStore({ directory: store.uploads, expirationPeriodInMilliseconds: keptMs });
  // The length bounds what an account may hold here, and has to be known; those who begin take turns.
  files.extensions = ['creation', 'termination', 'expiration'];
  const server = new Server({
    path: uploadsPath,
    datastore: files,
    relativeLocation: true,
    allowedOrigins: [],
    maxSize: rules.bytes,
    // As the account's routes have put it there.
    namingFunction: (request) => `${request.headers.get('kiln-account') ?? ''}-${randomBytes(16).toString('hex')}`,
  });
  const isOf = (accountId: string, id: string): boolean =>
    id.startsWith(`${accountId}-`) && /^[0-9]+-[0-9a-f]{32}$/.test(id);

  /** @throws Fault ContextTooLarge where the account has no room for another one of that length */
  async function requireRoom(accountId: string, length: number): Promise<void> {
    const { accountBytes } = rules;
    const ids = ((await files.configstore.list?.()) ?? []).filter((it) => isOf(accountId, it));
    const lengths = await Promise.all(ids.map(async (id) => (await files.configstore.get(id))?.size ?? 0));
    const taken = lengths.reduce((all, it) => all + it, await store.usage(accountId));
    if (ids.length >= onTheirWayMax)
      throw new Fault('ContextTooLarge', `the account has ${ids.length} uploads on their way; finish or delete some`);
    if (taken + length > accountBytes)
      throw new Fault(
        'ContextTooLarge',
        `Upload-Length is ${length}, and of the ${accountBytes} bytes of the account's contexts ${taken} are taken`,
      );
  }
  async function create(accountId: string, request: Request, handle: () => Promise<Response>): Promise<Response> {
    await requireRoom(accountId, Number(request.headers.get('upload-length') ?? 0));
    // Bytes that come along would make the others wait.
    request.headers.delete('content-type');
    return handle();
  }
  // One after the other: each counts those before it.
  let creating: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const done = creating.then(work);
    creating = done.catch(() => undefined);
    return done;
  };

  return {
    async answer(accountId, request) {
      const id = new URL(request.url).pathname.slice(uploadsPath.length + 1);
      if (id && !isOf(accountId, id)) throw notFound(id);
      request.headers.set('kiln-account', accountId);
      const handle = () => server.handleWeb(request);
      const response = id ? await handle() : await inTurn(() => create(accountId, request, handle));
      if (response.status >= 400) throw refusal(response.status, await response.text(), id);
      return response;
    },
    async take(accountId, id, work) {
      const upload = isOf(accountId, id) ? await files.getUpload(id).catch(() => undefined) : undefined;
      if (!upload) throw notFound(id);
      if (upload.offset !== upload.size)
        throw new Fault('UploadConflict', `of the upload's ${upload.size} bytes, ${upload.offset} have come`);
      const archive = files.read(id);
      const done = await work(archive).finally(() => archive.destroy());
      await files.remove(id).catch(() => undefined);
      return done;
    },
    async sweep() {
      await files.deleteExpired();
    },
  };
}
