import { z } from 'zod';
import { operation } from '../operation.ts';
import { operators } from './worker-operations.ts';

const requestId = { RequestId: z.string() };
const RequestId = '7B9EFB2C-0E2A-4F4F-8A3E-1B1C6E0F5A11';

const whole = (least: number, most: number) =>
  z
    .int(`must be a whole number from ${least} to ${most}`)
    .min(least, `must be at least ${least}`)
    .max(most, `must be at most ${most}`);
const limit = whole(0, 1_000_000).nullable().describe('0 for no limit; null where it is the installation’s');

/** What accounts may use, for those who run the installation. */
export const accountOperations = {
  PutAccountLimits: operation({
    name: 'PutAccountLimits',
    api: 'Kiln',
    method: 'PUT',
    path: '/api/v1/accounts/{AccountId}/limits',
    summary: 'Sets what an account may use; what is left out stays as it is',
    query: z.object({}),
    body: z.object(
      {
        Weight: whole(1, 1000).optional().describe('its share against the others'),
        RunningMax: whole(0, 1_000_000).optional().describe('builds at once; 0 for no limit'),
        WaitingMax: whole(0, 1_000_000).optional().describe('builds that may wait'),
        DailyMax: whole(0, 1_000_000).optional().describe('builds that are accepted within 24 hours'),
        ImagesMax: whole(0, 100_000_000).optional().describe('entries in the catalogue'),
      },
      'must be a JSON object',
    ),
    reply: z.object({
      ...requestId,
      AccountId: z.string(),
      Weight: z.int(),
      RunningMax: limit,
      WaitingMax: limit,
      DailyMax: limit,
      ImagesMax: z.int().nullable(),
    }),
    statuses: [200],
    errors: ['AccountNotFound'],
    ...operators,
    example: {
      params: { AccountId: '1000000000000001' },
      body: { Weight: 3, RunningMax: 8 },
      reply: {
        RequestId,
        AccountId: '1000000000000001',
        Weight: 3,
        RunningMax: 8,
        WaitingMax: null,
        DailyMax: null,
        ImagesMax: null,
      },
    },
  }),
};
