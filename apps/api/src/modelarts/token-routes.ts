import { tokenOperations } from '@kiln/contract';
import { issueToken } from '../callers/issue-token.ts';
import { type Route, route } from '../http/dialect.ts';

// IAM writes microseconds.
const iamTime = (at: Date): string => at.toISOString().replace('Z', '000Z');

/** IAM's call for a token, as ModelArts' users make it. */
export const tokenRoutes = (deps: Parameters<typeof issueToken>[0]): Route[] => [
  route(tokenOperations.CreateToken, async ({ body }) => {
    const { token, method, issuedAt, expiresAt, user, account, project, caller } = await issueToken(deps, body);
    return {
      caller,
      headers: { 'x-subject-token': token, 'cache-control': 'no-store' },
      body: {
        token: {
          methods: [method],
          issued_at: iamTime(issuedAt),
          expires_at: iamTime(expiresAt),
          user: { ...user, domain: account },
          ...(project ? { project: { ...project, domain: account } } : { domain: account }),
          roles: [],
          catalog: [],
        },
      },
    };
  }),
];
