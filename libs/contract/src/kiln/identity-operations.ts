import { z } from 'zod';
import { roles, scopes } from '@kiln/domain';
import { operation } from '../operation.ts';
import { idText, oneOf, text } from '../text.ts';

const requestId = { RequestId: z.string() };
const RequestId = '7B9EFB2C-0E2A-4F4F-8A3E-1B1C6E0F5A11';
const at = '2026-01-21T17:12:35.232Z';
const UserId = '10000000000001';
const TokenId = '0190b6f5-c7c8-4f0f-a5b3-d5e6f7a8b9c0';
const AccessKeyId = 'KILNA1B2C3D4E5F6G7H8';
const admins = { role: 'admin' } as const;
/** Everybody, for themselves; for others, admins. */
const own = { role: 'viewer' } as const;

const name = text(64, 1).regex(/^[A-Za-z0-9][A-Za-z0-9._@-]*$/, 'must be letters, digits, dots, hyphens, @ and _');
const scopeList = z
  .array(oneOf(scopes), 'must be a list of scopes')
  .min(1, 'must have at least one scope; leave it out for all that the user may do')
  .optional()
  .describe('what alone it is good for; all that its user may do when left out');
const forUser = idText(64).optional().describe('whose it is; the caller’s when left out, and others’ for admins only');

const userFields = {
  Role: oneOf(roles).describe('viewers read; operators and admins act in every workspace'),
  WorkspaceIds: z
    .array(idText(64), 'must be a list of workspaces')
    .max(100, 'must have at most 100 workspaces')
    .describe('that the user belongs to'),
};

const shownUser = z
  .object({
    UserId: z.string(),
    Name: z.string(),
    Role: z.enum(roles),
    WorkspaceIds: z.array(z.string()),
    GmtCreateTime: z.iso.datetime(),
  })
  .meta({ id: 'User' });
const exampleUser = { UserId, Name: 'ada', Role: 'developer', WorkspaceIds: ['123456'], GmtCreateTime: at };

/** Users of an account, and what they prove themselves with. */
export const identityOperations = {
  ListUsers: operation({
    name: 'ListUsers',
    api: 'Kiln',
    method: 'GET',
    path: '/api/v1/users',
    summary: "Shows the account's users, but for those that were revoked",
    query: z.object({}),
    reply: z.object({ ...requestId, Users: z.array(shownUser) }),
    statuses: [200],
    errors: [],
    ...admins,
    example: { reply: { RequestId, Users: [exampleUser] } },
  }),
  CreateUser: operation({
    name: 'CreateUser',
    makes: 'UserId',
    api: 'Kiln',
    method: 'POST',
    path: '/api/v1/users',
    summary: 'Makes a user',
    query: z.object({}),
    body: z.object(
      {
        Name: name,
        Role: userFields.Role.default('developer'),
        WorkspaceIds: userFields.WorkspaceIds.default([]),
      },
      'must be a JSON object',
    ),
    reply: z.object({ ...requestId, UserId: z.string() }),
    statuses: [200],
    errors: ['WorkspaceNotFound'],
    ...admins,
    example: { body: { Name: 'ada', Role: 'developer', WorkspaceIds: [] }, reply: { RequestId, UserId } },
  }),
  UpdateUser: operation({
    name: 'UpdateUser',
    api: 'Kiln',
    method: 'PUT',
    path: '/api/v1/users/{UserId}',
    summary: 'Gives a user another role or other workspaces; what is left out stays',
    query: z.object({}),
    body: z.object(
      { Role: userFields.Role.optional(), WorkspaceIds: userFields.WorkspaceIds.optional() },
      'must be a JSON object',
    ),
    reply: z.object(requestId),
    statuses: [200],
    errors: ['UserNotFound', 'WorkspaceNotFound', 'LastAdmin'],
    ...admins,
    example: { params: { UserId }, body: { Role: 'operator' }, reply: { RequestId } },
  }),
  DeleteUser: operation({
    name: 'DeleteUser',
    api: 'Kiln',
    method: 'DELETE',
    path: '/api/v1/users/{UserId}',
    summary: 'Revokes a user for good, with all keys and tokens; it takes two seconds',
    query: z.object({}),
    reply: z.object(requestId),
    statuses: [200],
    errors: ['UserNotFound', 'LastAdmin'],
    ...admins,
    example: { params: { UserId }, reply: { RequestId } },
  }),
  ListTokens: operation({
    name: 'ListTokens',
    api: 'Kiln',
    method: 'GET',
    path: '/api/v1/tokens',
    summary: "Shows the caller's tokens that are still good, without the tokens themselves; an admin sees everybody's",
    query: z.object({}),
    reply: z.object({
      ...requestId,
      Tokens: z.array(
        z.object({
          TokenId: z.string(),
          UserId: z.string(),
          Scopes: z.array(z.enum(scopes)).optional(),
          GmtCreateTime: z.iso.datetime(),
          GmtLastUseTime: z.iso.datetime().optional(),
          GmtExpireTime: z.iso.datetime().optional(),
        }),
      ),
    }),
    statuses: [200],
    errors: [],
    ...own,
    example: { reply: { RequestId, Tokens: [{ TokenId, UserId, GmtCreateTime: at, GmtExpireTime: at }] } },
  }),
  MakeToken: operation({
    name: 'MakeToken',
    makes: 'TokenId',
    api: 'Kiln',
    method: 'POST',
    path: '/api/v1/tokens',
    summary: 'Makes a token for Authorization: Bearer and X-Auth-Token; it is shown this once',
    query: z.object({}),
    body: z.object(
      {
        UserId: forUser,
        Days: z.int('must be a whole number').min(1, 'must be 1 to 3650').max(3650, 'must be 1 to 3650').default(90),
        Scopes: scopeList,
      },
      'must be a JSON object',
    ),
    guarded: ['Scopes', 'Days'],
    reply: z.object({ ...requestId, TokenId: z.string(), Token: z.string(), GmtExpireTime: z.iso.datetime() }),
    statuses: [200],
    errors: ['UserNotFound'],
    ...own,
    example: { body: { Days: 30 }, reply: { RequestId, TokenId, Token: 'kiln_your-token', GmtExpireTime: at } },
  }),
  DeleteToken: operation({
    name: 'DeleteToken',
    api: 'Kiln',
    method: 'DELETE',
    path: '/api/v1/tokens/{TokenId}',
    summary: 'Revokes a token for good; it takes two seconds',
    query: z.object({}),
    reply: z.object(requestId),
    statuses: [200],
    errors: ['TokenNotFound'],
    ...own,
    example: { params: { TokenId }, reply: { RequestId } },
  }),
  MakeAccessKey: operation({
    name: 'MakeAccessKey',
    makes: 'AccessKeyId',
    api: 'Kiln',
    method: 'POST',
    path: '/api/v1/accesskeys',
    summary: "Makes an access key for the clouds' clients; its secret is shown this once",
    query: z.object({}),
    body: z.object({ UserId: forUser, Scopes: scopeList }, 'must be a JSON object'),
    guarded: ['Scopes'],
    reply: z.object({ ...requestId, AccessKeyId: z.string(), AccessKeySecret: z.string() }),
    statuses: [200],
    errors: ['UserNotFound'],
    ...own,
    example: { body: {}, reply: { RequestId, AccessKeyId, AccessKeySecret: 'a-secret' } },
  }),
  DeleteAccessKey: operation({
    name: 'DeleteAccessKey',
    api: 'Kiln',
    method: 'DELETE',
    path: '/api/v1/accesskeys/{AccessKeyId}',
    summary: 'Revokes an access key for good; it takes two seconds',
    query: z.object({}),
    reply: z.object(requestId),
    statuses: [200],
    errors: ['AccessKeyNotFound'],
    ...own,
    example: { params: { AccessKeyId }, reply: { RequestId } },
  }),
};
