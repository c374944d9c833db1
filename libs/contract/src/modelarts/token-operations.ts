import { z } from 'zod';
import { operation } from '../operation.ts';
import { createTokenBody, createTokenReply } from './token.ts';

const domain = { id: '10000000000000', name: 'team-a' };

/** What of Huawei's IAM a ModelArts client needs. */
export const tokenOperations = {
  CreateToken: operation({
    name: 'CreateToken',
    api: 'IAM',
    method: 'POST',
    path: '/v3/auth/tokens',
    summary: 'Gives a token for X-Auth-Token, valid for 24 hours, in the header X-Subject-Token',
    query: z.object({}),
    body: createTokenBody,
    reply: createTokenReply,
    statuses: [201],
    anonymous: true,
    errors: ['InvalidCredentials', 'ProjectMismatch'],
    example: {
      body: {
        auth: {
          identity: {
            methods: ['hw_ak_sk'],
            hw_ak_sk: { access: { key: 'KILNA1B2C3D4E5F6G7H8' }, secret: { key: 'the-secret-of-that-key' } },
          },
          scope: { project: { id: '0123456789abcdef0123456789abcdef' } },
        },
      },
      reply: {
        token: {
          methods: ['hw_ak_sk'],
          issued_at: '2026-01-21T17:12:35.232000Z',
          expires_at: '2026-01-22T17:12:35.232000Z',
          user: { id: '10000000000001', name: 'admin', domain },
          project: { id: '0123456789abcdef0123456789abcdef', name: 'default', domain },
          roles: [],
          catalog: [],
        },
      },
    },
  }),
};
