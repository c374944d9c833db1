import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { asFault, type Fault } from '@kiln/domain';
import { preface, service } from './packet-lines.ts';
import type { GitRemote } from './remote.ts';

/**
 * What git inside a jail sees of the repositories that it may fetch: each by its number, over HTTP, without an address
 * and without credentials.
 */
export interface GitDoor {
  /** @param path `/git/0/info/refs` and so on */
  answer: (req: IncomingMessage, res: ServerResponse, at: { path: string }) => void;
  /** The number by which a repository is asked for from now on. */
  add(remote: GitRemote): number;
  /** What went wrong last on this side; what git says of it is vague. */
  readonly fault: Fault | undefined;
  close(): Promise<void>;
}

const noCache = { 'cache-control': 'no-cache' };

export function openGitDoor(signal: AbortSignal): GitDoor {
  const remotes: GitRemote[] = [];
  let fault: Fault | undefined;
  const route = async (req: IncomingMessage, res: ServerResponse, path: string): Promise<void> => {
    const [, number = '', what = ''] = /^\/git\/(\d{1,3})\/(info\/refs|git-upload-pack)$/.exec(path) ?? [];
    const remote = remotes[Number(number)];
    if (!remote || number === '') return void res.writeHead(404).end();
    const gone = new AbortController();
    res.on('close', () => gone.abort());
    const ending = AbortSignal.any([signal, gone.signal]);
    if (what === 'info/refs' && req.method === 'GET') {
      const names = await remote.advertise(ending);
      res.writeHead(200, { ...noCache, 'content-type': `application/x-${service}-advertisement` });
      res.write(preface);
      return pipeline(names, res);
    }
    if (what === service && req.method === 'POST') {
      const isPacked = req.headers['content-encoding'] === 'gzip';
      const asked: Readable = isPacked ? req.pipe(createGunzip()) : req;
      // Whoever asks may send anything.
      asked.on('error', () => gone.abort());
      const answer = await remote.answer(asked, ending);
      res.writeHead(200, { ...noCache, 'content-type': `application/x-${service}-result` });
      return pipeline(answer, res);
    }
    res.writeHead(404).end();
  };
  return {
    answer(req, res, { path }) {
      route(req, res, path).catch((error: unknown) => {
        if (!res.destroyed) fault = asFault(error);
        if (res.headersSent) res.destroy();
        else res.writeHead(502, { connection: 'close' }).end();
      });
    },
    add: (remote) => remotes.push(remote) - 1,
    get fault() {
      return fault;
    },
    async close() {
      await Promise.all(remotes.map((it) => it.close()));
    },
  };
}
