import { z } from 'zod';
import { required, text } from '../text.ts';

const named = z.object({ id: text(64).optional(), name: text(256).optional() }, 'must be an object {id} or {name}');

/**
 * Body of IAM's call for a token. Kiln's users have access keys instead of passwords: `password` takes the key's id as
 * the user's name and its secret as the password.
 */
export const createTokenBody = z.object(
  {
    auth: z.object(
      {
        identity: z.object(
          {
            methods: z.array(text(32), required('must be an array')).min(1, 'must name a method'),
            password: z
              .object(
                {
                  user: z.object(
                    { name: text(256, 1), password: text(256, 1), domain: named.optional() },
                    required('must be an object {name, password, domain}'),
                  ),
                },
                'must be an object {user}',
              )
              .optional(),
            hw_ak_sk: z
              .object(
                {
                  access: z.object({ key: text(256, 1) }, required('must be an object {key}')),
                  secret: z.object({ key: text(256, 1) }, required('must be an object {key}')),
                },
                'must be an object {access, secret}',
              )
              .optional(),
          },
          required('must be an object'),
        ),
        scope: z.object({ project: named.optional(), domain: named.optional() }, 'must be an object').optional(),
      },
      required('must be an object'),
    ),
  },
  'must be a JSON object',
);
export type CreateTokenBody = z.infer<typeof createTokenBody>;

const domain = z.object({ id: z.string(), name: z.string() });

export const createTokenReply = z.object({
  token: z.object({
    methods: z.array(z.string()),
    issued_at: z.string(),
    expires_at: z.string(),
    user: z.object({ id: z.string(), name: z.string(), domain }),
    project: z.object({ id: z.string(), name: z.string(), domain }).optional(),
    domain: domain.optional(),
    roles: z.array(z.object({ id: z.string(), name: z.string() })),
    catalog: z.array(z.unknown()),
  }),
});
