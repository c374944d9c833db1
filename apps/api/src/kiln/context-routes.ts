import { contextOperations } from '@kiln/contract';
import { decompressed } from '@kiln/contexts';
import { below, bytesIn, Fault, fieldFault, filesIn, ignoreFilesOf, withoutIgnored } from '@kiln/domain';
import { expireContext, findContext, type KeptContext, listContexts } from '@kiln/persistence';
import { type Route, route } from '../http/dialect.ts';
import { optional } from '../http/optional.ts';
import { uploadOf } from '../http/upload.ts';
import { requireUploads, type UploadDeps } from './upload-routes.ts';
import {
  addContextFiles,
  type ContextDeps,
  findIgnored,
  keepArchive,
  planContext,
  type PlannedContext,
  requireStore,
} from '@kiln/usecases';

/** How long an ignore file may take here, in milliseconds: builds give it longer. */
const judgeMs = 1000;

const show = (it: KeptContext) => ({
  Id: it.id,
  Files: it.files,
  Bytes: it.bytes,
  GmtCreateTime: it.createdAt.toISOString(),
  GmtExpireTime: it.expiresAt.toISOString(),
});

const showPlanned = ({ id, files, bytes, kept, missing }: PlannedContext) => ({
  ...(kept ? show(kept) : { Id: id, Files: files, Bytes: bytes }),
  Missing: missing,
});

/** @throws Fault ContextNotFound */
const notFound = (id: string): Fault => new Fault('ContextNotFound', `the account has no context ${id}`);

/** Files for builds to copy from. */
export function contextRoutes(deps: ContextDeps & UploadDeps): Route[] {
  const { db } = deps;
  return [
    route(contextOperations.CreateContext, async ({ viewer, query, requestId, res }) => {
      const { UploadId, Digest } = query;
      const keep = (archive: AsyncIterable<Buffer>) => keepArchive(deps, viewer.accountId, archive, Digest);
      const { context, isNew } =
        UploadId === undefined
          ? await keep(uploadOf(res.req))
          : await requireUploads(deps).take(viewer.accountId, UploadId, keep);
      return { status: isNew ? 201 : 200, body: { RequestId: requestId, ...show(context) } };
    }),
    route(contextOperations.PlanContext, async ({ viewer, requestId, res }) => {
      const planned = await planContext(deps, viewer.accountId, decompressed(uploadOf(res.req)));
      return { body: { RequestId: requestId, ...showPlanned(planned) } };
    }),
    route(contextOperations.AddContextFiles, async ({ viewer, params, requestId, res }) => {
      const planned = await addContextFiles(deps, viewer.accountId, params.Id, uploadOf(res.req));
      return { body: { RequestId: requestId, ...showPlanned(planned) } };
    }),
    route(contextOperations.ListContexts, async ({ viewer, query, requestId }) => {
      const [found, used] = await Promise.all([
        listContexts(db, viewer.accountId, query.Limit ?? 100),
        deps.contexts?.usage(viewer.accountId) ?? 0,
      ]);
      return { body: { RequestId: requestId, Contexts: found.map(show), UsedBytes: used } };
    }),
    route(contextOperations.GetContext, async ({ viewer, params, query, requestId }) => {
      const found = await findContext(db, viewer.accountId, { id: params.Id });
      if (!found) throw notFound(params.Id);
      const store = requireStore(deps);
      const entries = below(await store.entries(viewer.accountId, found.id), query.SubPath ?? '');
      const ignoreFiles = query.Dockerfile === undefined ? ['.dockerignore'] : ignoreFilesOf(query.Dockerfile);
      const read = (sha256: string) => store.read(viewer.accountId, sha256);
      if (query.SubPath && entries.length === 0)
        throw fieldFault('InvalidParameter', 'SubPath', `the context has no folder ${query.SubPath}`);
      // One that takes too long is applied by the build only.
      const ignored = await findIgnored({ read }, entries, ignoreFiles, { ms: judgeMs }).catch((error: unknown) => {
        if (error instanceof Fault && error.code === 'ContextInvalid') return undefined;
        throw error;
      });
      const kept = new Set(ignored ? withoutIgnored(entries, (path) => ignored.paths.has(path)) : entries);
      const leftOut = entries.filter((it) => !kept.has(it));
      const inOrder = query.Order === 'size' ? filesIn(entries).sort((a, b) => b.size - a.size) : entries;
      const shown = inOrder.slice(0, query.Limit ?? 1000).map((it) => ({
        Path: it.path,
        Type: it.type,
        ...optional('Size', it.type === 'file' ? it.size : undefined),
        ...optional('Target', it.type === 'link' ? it.target : undefined),
        ...optional('LeftOut', !kept.has(it) || undefined),
      }));
      const Ignored = ignored && { File: ignored.file, Files: leftOut.length, Bytes: bytesIn(leftOut) };
      return { body: { RequestId: requestId, ...show(found), Entries: shown, ...optional('Ignored', Ignored) } };
    }),
    route(contextOperations.DeleteContext, async ({ viewer, params, requestId }) => {
      if (!(await expireContext(db, viewer.accountId, params.Id))) throw notFound(params.Id);
      return { body: { RequestId: requestId } };
    }),
  ];
}
