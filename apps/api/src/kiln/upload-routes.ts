import { Readable } from 'node:stream';
import { uploadOperations } from '@kiln/contract';
import { requireStore, type ContextDeps } from '@kiln/usecases';
import type { Response } from 'express';
import { type Route, route } from '../http/dialect.ts';
import { uploadOf } from '../http/upload.ts';
import type { Uploads } from '../usecases/uploads.ts';

export interface UploadDeps extends Pick<ContextDeps, 'contexts'> {
  uploads: Uploads | undefined;
}

/** @throws Fault ContextNotFound where no contexts are kept */
export function requireUploads(deps: UploadDeps): Uploads {
  requireStore(deps);
  return deps.uploads as Uploads;
}

/** Archives in pieces. */
export function uploadRoutes(deps: UploadDeps): Route[] {
  /** Answers as the protocol says, with what its server says. */
  async function relay(accountId: string, res: Response): Promise<undefined> {
    const { req } = res;
    const body = req.method === 'PATCH' ? Readable.toWeb(Readable.from(uploadOf(req))) : undefined;
    const request = new Request(new URL(req.originalUrl, 'http://kiln'), {
      method: req.method,
      headers: Object.entries(req.headers).flatMap(([name, value]) =>
        typeof value === 'string' ? [[name, value] as [string, string]] : [],
      ),
      ...(body ? { body: body as ReadableStream, duplex: 'half' as const } : {}),
    });
    const answer = await requireUploads(deps).answer(accountId, request);
    for (const [name, value] of answer.headers) res.set(name, value);
    res.status(answer.status).end();
  }
  return [
    route(uploadOperations.CreateUpload, ({ viewer, res }) => relay(viewer.accountId, res)),
    route(uploadOperations.GetUpload, ({ viewer, res }) => relay(viewer.accountId, res)),
    route(uploadOperations.ContinueUpload, ({ viewer, res }) => relay(viewer.accountId, res)),
    route(uploadOperations.DeleteUpload, ({ viewer, res }) => relay(viewer.accountId, res)),
  ];
}
