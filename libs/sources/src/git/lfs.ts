import type { Readable } from 'node:stream';
import { Fault } from '@kiln/domain';
import { readAtMost } from '@kiln/kit';
import type { AddressRules } from '@kiln/registry';
import { z } from 'zod';
import type { SourceAccesses } from '../access.ts';
import { bytesOf, openSourceHttp, sourceFault, type SourceHttp, sourceUrl } from '../http.ts';
import { requireGitAddress } from './git.ts';

export interface LfsPointer {
  sha256: string;
  size: number;
}

/** Files that git LFS keeps for a repository (git-lfs, docs/api/batch.md). */
export interface Lfs {
  /**
   * Whoever gets a body reads it, before the next one is asked for.
   * @throws Fault SourceInvalid, SourceNotFound, SourceDenied, SourceUnreachable
   */
  fetch(
    pointers: readonly LfsPointer[],
    signal: AbortSignal,
  ): AsyncGenerator<{ pointer: LfsPointer; body: AsyncIterable<Buffer> }>;
  close(): Promise<void>;
}

const batchAnswer = z.object({
  objects: z
    .array(
      z.object({
        oid: z.string().optional(),
        error: z.object({ message: z.string().optional() }).optional(),
        actions: z
          .object({
            download: z.object({ href: z.string(), header: z.record(z.string(), z.string()).optional() }).optional(),
          })
          .optional(),
      }),
    )
    .default([]),
});
/** The most of an answer about a hundred files that is read, in bytes. */
const answerBytesMax = 4 << 20;

/** @throws Fault SourceInvalid for an answer that is none */
async function readBatch(body: Readable, host: string): Promise<z.infer<typeof batchAnswer>> {
  const tooLong = () => new Fault('SourceInvalid', `git LFS of ${host} answers without an end`);
  const bytes = await readAtMost(body, answerBytesMax, tooLong);
  try {
    return batchAnswer.parse(JSON.parse(bytes.toString()));
  } catch (error) {
    throw new Fault('SourceInvalid', `git LFS of ${host} does not answer as it should`, {}, error);
  }
}

const mediaType = 'application/vnd.git-lfs+json';

/** @throws Fault SourceInvalid for a repository by ssh, which tells its files' addresses only to a program of its own */
export function openLfs(url: string, accesses: SourceAccesses, rules: AddressRules): Lfs {
  const address = requireGitAddress(url);
  if (address.protocol !== 'https')
    throw new Fault('SourceInvalid', 'files of git LFS are fetched by https only; give the repository’s https address');
  const access = accesses(address.host);
  const http = openSourceHttp(access, rules);
  // Files may lie elsewhere, where nobody's credentials but those in the answer are of use.
  const elsewhere = new Map<string, SourceHttp>();
  const httpFor = (host: string): SourceHttp => {
    if (host === address.host) return http;
    const known = elsewhere.get(host) ?? openSourceHttp(accesses(host), rules, () => ({}));
    elsewhere.set(host, known);
    return known;
  };
  const base = `https://${address.host}${address.path.replace(/\/+$/, '').replace(/(?<!\.git)$/, '.git')}`;
  return {
    async *fetch(pointers, signal) {
      const answer = await http.send({
        method: 'POST',
        url: sourceUrl(access, `${base}/info/lfs/objects/batch`),
        headers: { accept: mediaType, 'content-type': mediaType },
        body: JSON.stringify({
          operation: 'download',
          transfers: ['basic'],
          objects: pointers.map(({ sha256, size }) => ({ oid: sha256, size })),
          hash_algo: 'sha256',
        }),
        signal,
      });
      if (answer.status !== 200) throw sourceFault(answer, address.host, `git LFS for ${address.path}`);
      const { objects } = await readBatch(answer.body, address.host);
      for (const pointer of pointers) {
        const found = objects.find((it) => it.oid === pointer.sha256);
        const download = found?.actions?.download;
        if (!download || !URL.canParse(download.href))
          throw new Fault(
            'SourceNotFound',
            `git LFS of ${address.host} has no file ${pointer.sha256}: ${found?.error?.message ?? 'it gives no address'}`,
          );
        const from = new URL(download.href);
        const file = await httpFor(from.host).send({ method: 'GET', url: from, headers: download.header, signal });
        if (file.status !== 200) throw sourceFault(file, from.host, `the file ${pointer.sha256} of git LFS`);
        yield { pointer, body: bytesOf(file) };
      }
    },
    async close() {
      await Promise.all([http, ...elsewhere.values()].map((it) => it.close()));
    },
  };
}
