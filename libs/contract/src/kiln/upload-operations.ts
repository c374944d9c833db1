import { z } from 'zod';
import { operation } from '../operation.ts';

const UploadId = '1000000000000001-9f86d081884c7d659a2feaa0c55ad015';
const path = '/api/v1/contexts/uploads/{UploadId}';

/**
 * Archives that come in pieces, and go on after a cut where they broke off: tus 1.0.0 (tus.io), with creation, termination
 * and expiration.
 */
export const uploadOperations = {
  CreateUpload: operation({
    name: 'CreateUpload',
    api: 'Kiln',
    method: 'POST',
    path: '/api/v1/contexts/uploads',
    summary: 'Begins the upload of an archive in pieces, by tus 1.0.0; the header Location tells where they are sent',
    query: z.object({}),
    bodiless: true,
    reply: z.object({}),
    statuses: [201],
    errors: ['ContextTooLarge'],
    example: { reply: {} },
  }),
  GetUpload: operation({
    name: 'GetUpload',
    api: 'Kiln',
    method: 'HEAD',
    path,
    summary: 'Tells how much of an upload has come, in the header Upload-Offset',
    query: z.object({}),
    bodiless: true,
    reply: z.object({}),
    statuses: [200],
    errors: ['UploadNotFound', 'UploadConflict'],
    example: { params: { UploadId }, reply: {} },
  }),
  ContinueUpload: operation({
    name: 'ContinueUpload',
    api: 'Kiln',
    method: 'PATCH',
    path,
    summary:
      'Takes bytes of an upload from Upload-Offset on; POST /api/v1/contexts?UploadId=… makes a context of them all',
    query: z.object({}),
    upload: ['application/offset+octet-stream'],
    bodiless: true,
    reply: z.object({}),
    statuses: [204],
    errors: ['UploadNotFound', 'UploadConflict', 'ContextTooLarge'],
    example: { params: { UploadId }, reply: {} },
  }),
  DeleteUpload: operation({
    name: 'DeleteUpload',
    api: 'Kiln',
    method: 'DELETE',
    path,
    summary: 'Gives an upload up',
    query: z.object({}),
    bodiless: true,
    reply: z.object({}),
    statuses: [204],
    errors: ['UploadNotFound', 'UploadConflict'],
    example: { params: { UploadId }, reply: {} },
  }),
};
