import { z } from 'zod';
import { compressionChoices, compressionLevelMax, tlsModes } from '@kiln/domain';
import { operation } from '../operation.ts';
import { oneOf, text } from '../text.ts';

const requestId = { RequestId: z.string() };
const RequestId = '7B9EFB2C-0E2A-4F4F-8A3E-1B1C6E0F5A11';
const at = '2026-01-21T17:12:35.232Z';
const admins = { role: 'admin' } as const;

const host = text(253, 1).regex(
  /^(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?$/,
  'must be a host, with its port where that is not the usual one',
);
const repository = text(255, 1).regex(
  /^[a-z0-9]+(?:[._/-]+[a-z0-9]+)*$/,
  'must be the name of a repository, such as team/app',
);
const access = {
  Tls: oneOf(tlsModes).default('verify').describe('how to connect'),
  CaPem: text(65_536).optional().describe('the CA to trust, in PEM form'),
  Username: text(256, 1).optional(),
  Password: text(8192, 1).optional().describe('password, token or secret key; it is never shown again'),
};
const exampleAccess = { Tls: 'verify', Username: 'robot', Password: 'a-password' };

/** How an account reaches what is outside of Kiln, and what its builds may mount. */
export const connectionOperations = {
  PutRegistry: operation({
    name: 'PutRegistry',
    api: 'Kiln',
    method: 'PUT',
    path: '/api/v1/registries/{InstanceId}',
    summary: 'Keeps a registry connection, or replaces it, once the registry has answered with these credentials',
    query: z.object({}),
    body: z.object(
      {
        Host: host,
        ...access,
        Compression: oneOf(compressionChoices).default('gzip'),
        CompressionLevel: z.int('must be a whole number').min(1).max(compressionLevelMax.zstd).optional(),
        CacheRepository: repository
          .optional()
          .describe('where layers of builds are kept for builders that have not built the like; nowhere without it'),
        Repository: repository
          .optional()
          .describe('where a push is tried, which leaves nothing behind; only reading is tried without it'),
      },
      'must be a JSON object',
    ),
    reply: z.object({ ...requestId, Pushed: z.boolean().describe('whether a push was tried') }),
    statuses: [200],
    errors: ['RegistryDenied', 'RegistryRefused', 'AddressNotAllowed'],
    ...admins,
    example: {
      params: { InstanceId: 'cri-local' },
      body: {
        Host: 'registry.example.com',
        ...exampleAccess,
        Repository: 'team/app',
        CacheRepository: 'team/build-cache',
      },
      reply: { RequestId, Pushed: true },
    },
  }),
  DeleteRegistry: operation({
    name: 'DeleteRegistry',
    api: 'Kiln',
    method: 'DELETE',
    path: '/api/v1/registries/{InstanceId}',
    summary: 'Forgets a registry connection; images that were pushed by it stay',
    query: z.object({}),
    reply: z.object(requestId),
    statuses: [200],
    errors: ['RegistryConnectionNotFound'],
    ...admins,
    example: { params: { InstanceId: 'cri-local' }, reply: { RequestId } },
  }),
  ListSecrets: operation({
    name: 'ListSecrets',
    api: 'Kiln',
    method: 'GET',
    path: '/api/v1/secrets',
    summary: 'Shows the names of what builds may mount: RUN --mount=type=secret,id=NAME',
    query: z.object({}),
    reply: z.object({
      ...requestId,
      Secrets: z.array(
        z.object({ Name: z.string(), GmtCreateTime: z.iso.datetime(), GmtModifiedTime: z.iso.datetime() }),
      ),
    }),
    statuses: [200],
    errors: [],
    role: 'developer',
    example: { reply: { RequestId, Secrets: [{ Name: 'pip-token', GmtCreateTime: at, GmtModifiedTime: at }] } },
  }),
  PutSecret: operation({
    name: 'PutSecret',
    api: 'Kiln',
    method: 'PUT',
    path: '/api/v1/secrets/{Name}',
    summary: 'Keeps a build secret, or replaces it; it is never shown again',
    query: z.object({}),
    body: z.object({ Value: text(65_536, 1) }, 'must be a JSON object'),
    reply: z.object(requestId),
    statuses: [200],
    errors: [],
    ...admins,
    example: { params: { Name: 'pip-token' }, body: { Value: 'a-secret' }, reply: { RequestId } },
  }),
  DeleteSecret: operation({
    name: 'DeleteSecret',
    api: 'Kiln',
    method: 'DELETE',
    path: '/api/v1/secrets/{Name}',
    summary: 'Forgets a build secret',
    query: z.object({}),
    reply: z.object(requestId),
    statuses: [200],
    errors: ['SecretNotFound'],
    ...admins,
    example: { params: { Name: 'pip-token' }, reply: { RequestId } },
  }),
  ListSources: operation({
    name: 'ListSources',
    api: 'Kiln',
    method: 'GET',
    path: '/api/v1/sources',
    summary: 'Shows hosts that builds fetch contexts from with credentials: git servers, and stores of archives',
    query: z.object({}),
    reply: z.object({
      ...requestId,
      Sources: z.array(
        z.object({
          Host: z.string(),
          Tls: z.string(),
          Username: z.string().optional(),
          HasKey: z.boolean().describe('whether ssh has a key'),
          HasKnownHosts: z.boolean(),
        }),
      ),
    }),
    statuses: [200],
    errors: [],
    role: 'developer',
    example: {
      reply: {
        RequestId,
        Sources: [{ Host: 'git.example.com', Tls: 'verify', Username: 'robot', HasKey: false, HasKnownHosts: false }],
      },
    },
  }),
  PutSource: operation({
    name: 'PutSource',
    api: 'Kiln',
    method: 'PUT',
    path: '/api/v1/sources/{Host}',
    summary: 'Keeps how builds reach a host that contexts are fetched from, or replaces it',
    query: z.object({}),
    body: z.object(
      {
        ...access,
        PrivateKey: text(16_384, 1).optional().describe('what ssh logs in with, without a passphrase'),
        KnownHosts: text(65_536, 1).optional().describe('keys of the host, as ssh-keyscan prints them'),
      },
      'must be a JSON object',
    ),
    reply: z.object(requestId),
    statuses: [200],
    errors: [],
    ...admins,
    example: { params: { Host: 'git.example.com' }, body: exampleAccess, reply: { RequestId } },
  }),
  DeleteSource: operation({
    name: 'DeleteSource',
    api: 'Kiln',
    method: 'DELETE',
    path: '/api/v1/sources/{Host}',
    summary: 'Forgets how builds reach a host; they ask it in nobody’s name from then on',
    query: z.object({}),
    reply: z.object(requestId),
    statuses: [200],
    errors: ['SourceConnectionNotFound'],
    ...admins,
    example: { params: { Host: 'git.example.com' }, reply: { RequestId } },
  }),
};
