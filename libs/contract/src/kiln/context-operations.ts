import { z } from 'zod';
import { operation } from '../operation.ts';
import { oneOf, queryInt, text } from '../text.ts';

const requestId = { RequestId: z.string() };
const RequestId = '7B9EFB2C-0E2A-4F4F-8A3E-1B1C6E0F5A11';
const at = '2026-01-15T09:30:00.000Z';
const Id = 'sha256:3f79bb7b435b05321651daefd374cdc681dc06faa65e374e38337b88ca046dea';
const archive = 'sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08';

/** Content types that an archive may have. */
export const archiveTypes = ['application/x-tar', 'application/gzip', 'application/zstd'] as const;

const shownContext = z
  .object({
    Id: z.string().describe('sha256: and the digest of its list of entries'),
    Files: z.number().describe('files, folders and links'),
    Bytes: z.number().describe('of all files together'),
    GmtCreateTime: z.string(),
    GmtExpireTime: z.string().describe('kept for longer while an image that was made from it is in the catalogue'),
  })
  .meta({ id: 'Context' });

const context = { Id, Files: 12, Bytes: 34_567, GmtCreateTime: at, GmtExpireTime: at };

const digest = z
  .string()
  .regex(/^sha256:[0-9a-f]{64}$/, 'must be sha256: and 64 hexadecimal digits')
  .optional();

/** Files for builds to copy from. */
export const contextOperations = {
  CreateContext: operation({
    name: 'CreateContext',
    api: 'Kiln',
    method: 'POST',
    path: '/api/v1/contexts',
    summary:
      'Takes a tar, plain or packed with gzip or zstd, as a build context; one that came before is answered at once',
    query: z.object({
      Digest: digest.describe('of the archive: it is checked, and another request need not send it again'),
      UploadId: text(64).optional().describe('of an upload that has come whole, instead of a body'),
    }),
    upload: archiveTypes,
    reply: shownContext.extend(requestId),
    statuses: [201, 200],
    errors: ['ContextInvalid', 'ContextTooLarge', 'UploadNotFound', 'UploadConflict'],
    makes: 'Id',
    example: { reply: { RequestId, ...context } },
  }),
  PlanContext: operation({
    name: 'PlanContext',
    api: 'Kiln',
    method: 'POST',
    path: '/api/v1/contexts/plan',
    summary:
      'Takes the list of a context: a line of JSON for each entry, ["path", "file", mode, size, "sha256"], ["path", "folder", mode] or ["path", "link", "target"]. Tells which files are missing; the context is there when none are',
    query: z.object({}),
    upload: ['application/x-ndjson', 'application/gzip'],
    reply: shownContext.partial({ GmtCreateTime: true, GmtExpireTime: true }).extend({
      ...requestId,
      Missing: z.array(z.string()).describe('SHA-256 of files that are to be sent to /api/v1/contexts/{Id}/files'),
    }),
    statuses: [200],
    errors: ['ContextInvalid', 'ContextTooLarge'],
    makes: 'Id',
    example: { reply: { RequestId, Id, Files: 12, Bytes: 34_567, Missing: [archive.slice(7)] } },
  }),
  AddContextFiles: operation({
    name: 'AddContextFiles',
    api: 'Kiln',
    method: 'POST',
    path: '/api/v1/contexts/{Id}/files',
    summary: 'Takes missing files of a planned context as a tar, in which each has its SHA-256 as its name',
    query: z.object({}),
    upload: archiveTypes,
    reply: shownContext.partial({ GmtCreateTime: true, GmtExpireTime: true }).extend({
      ...requestId,
      Missing: z.array(z.string()).describe('those that are still missing'),
    }),
    statuses: [200],
    errors: ['ContextInvalid', 'ContextTooLarge', 'ContextNotFound'],
    example: { params: { Id }, reply: { RequestId, ...context, Missing: [] } },
  }),
  ListContexts: operation({
    name: 'ListContexts',
    api: 'Kiln',
    method: 'GET',
    path: '/api/v1/contexts',
    summary: 'Lists the contexts of the account, the newest first',
    query: z.object({ Limit: queryInt(1, 1000).optional() }),
    reply: z.object({ ...requestId, Contexts: z.array(shownContext), UsedBytes: z.number().describe('on the disk') }),
    statuses: [200],
    errors: [],
    example: { reply: { RequestId, Contexts: [context], UsedBytes: 34_567 } },
  }),
  GetContext: operation({
    name: 'GetContext',
    api: 'Kiln',
    method: 'GET',
    path: '/api/v1/contexts/{Id}',
    summary: 'Shows a context, what is in it, and what its ignore file leaves out of a build',
    query: z.object({
      Limit: queryInt(1, 10_000).optional(),
      SubPath: text(4096).optional().describe('folder in it, as a build’s request names it'),
      Dockerfile: text(4096).optional().describe('in that folder: NAME.dockerignore goes before .dockerignore'),
      Order: oneOf(['path', 'size']).default('path').describe('the largest files come first by size'),
    }),
    reply: shownContext.extend({
      ...requestId,
      Entries: z.array(
        z.object({
          Path: z.string(),
          Type: z.enum(['file', 'folder', 'link']),
          Size: z.number().optional(),
          Target: z.string().optional(),
          LeftOut: z.boolean().optional().describe('by the ignore file'),
        }),
      ),
      Ignored: z
        .object({ File: z.string(), Files: z.number(), Bytes: z.number().describe('of the files that are left out') })
        .optional()
        .describe('absent without an ignore file'),
    }),
    statuses: [200],
    errors: ['ContextNotFound', 'ContextInvalid'],
    example: {
      params: { Id },
      reply: { RequestId, ...context, Entries: [{ Path: 'app.py', Type: 'file', Size: 120 }] },
    },
  }),
  DeleteContext: operation({
    name: 'DeleteContext',
    api: 'Kiln',
    method: 'DELETE',
    path: '/api/v1/contexts/{Id}',
    summary: 'Lets go of a context, as soon as no build and no image in the catalogue needs it',
    query: z.object({}),
    reply: z.object(requestId),
    statuses: [200],
    errors: ['ContextNotFound'],
    example: { params: { Id }, reply: { RequestId } },
  }),
};
