import { testStack } from '@kiln/kit/testing';
import { recordAudit, verifyAudit } from './audit.ts';
import { openTestDatabase, type TestDatabase } from '../testing/index.ts';

let opened: TestDatabase;
beforeAll(async () => {
  opened = await openTestDatabase(testStack().postgresUrl);
  const entry = (n: number) => ({ accountId: null, actor: 'a', action: 'b', target: String(n), outcome: 'ok' });
  await recordAudit(opened.db, ...[1, 2, 3, 4, 5, 6, 7].map(entry));
});
afterAll(() => opened.close());

const change = async (text: string) => {
  await opened.db.$client.query('ALTER TABLE audit_log DISABLE TRIGGER USER');
  await opened.db.$client.query(text);
};

it.each([1, 2, 3, 7, 8])('the chain is worked out again, %i entries at a time', async (page) => {
  const { rows } = await opened.db.$client.query<{ hash: string }>('SELECT hash FROM audit_log WHERE id = 7');
  expect(await verifyAudit(opened.db, page)).toEqual({ entries: 7, lastHash: rows[0]?.hash, brokenAt: null });
});

it.each([
  ['a changed entry', `UPDATE audit_log SET target = 'x' WHERE id = 5`, 5],
  ['an entry that is missing', 'DELETE FROM audit_log WHERE id = 4', 5],
  [
    'an entry before the first',
    `INSERT INTO audit_log SELECT 0, at, account_id, actor, action, target, outcome, details, '', hash FROM audit_log WHERE id = 1`,
    0,
  ],
  ['the first one missing', 'DELETE FROM audit_log WHERE id <= 1', 2],
])('%s is found, wherever pages end', async (_, text, brokenAt) => {
  await change(text);
  for (const page of [1, 2, 3, 100]) expect((await verifyAudit(opened.db, page)).brokenAt).toBe(brokenAt);
});
