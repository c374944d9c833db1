import { testStack } from '@kiln/kit/testing';
import { type AuditRow, listAudit, recordAudit, verifyAudit } from './audit.ts';
import { cutAudit } from './cut-audit.ts';
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
  expect(await verifyAudit(opened.db, page)).toEqual({
    entries: 7,
    removed: 0,
    lastHash: rows[0]?.hash,
    brokenAt: null,
  });
});

it('the oldest are removed once they are kept, and the chain says so', async () => {
  const other = await openTestDatabase(testStack().postgresUrl);
  try {
    const old = (n: number) => ({
      ...{ accountId: null, actor: 'a', action: 'b', target: String(n), outcome: 'ok' },
      at: new Date(Date.UTC(2020, 0, n)),
    });
    await recordAudit(other.db, ...[1, 2, 3, 4, 5].map(old));
    const kept: AuditRow[] = [];
    const keep = (rows: AuditRow[]) => Promise.resolve(void kept.push(...rows));
    expect(await cutAudit(other.db, new Date(Date.UTC(2019, 0, 1)), keep)).toBeUndefined();
    await expect(
      cutAudit(other.db, new Date(Date.UTC(2020, 0, 4)), () => Promise.reject(new Error('no space'))),
    ).rejects.toThrow('no space');
    expect((await verifyAudit(other.db)).entries).toBe(5);
    const cut = await cutAudit(other.db, new Date(Date.UTC(2020, 0, 4)), keep);
    expect(cut).toEqual({ removed: 3, lastId: 3, lastHash: kept[2]?.hash });
    expect(kept.map((it) => it.target)).toEqual(['1', '2', '3']);
    for (const page of [1, 2, 100])
      expect(await verifyAudit(other.db, page)).toMatchObject({ entries: 3, removed: 3, brokenAt: null });
    expect((await listAudit(other.db, { limit: 1 }))[0]).toMatchObject({ action: 'audit cut', details: cut });
    // A second one, and one without a word.
    await cutAudit(other.db, new Date(Date.UTC(2020, 0, 5)), keep);
    expect(await verifyAudit(other.db)).toMatchObject({ entries: 3, removed: 4, brokenAt: null });
    // All that there is: what says so is left.
    await cutAudit(other.db, new Date(Date.now() + 60_000), keep);
    expect(await verifyAudit(other.db)).toMatchObject({ entries: 1, removed: 7, brokenAt: null });
    await recordAudit(other.db, old(6), old(7));
    expect(await verifyAudit(other.db)).toMatchObject({ entries: 3, removed: 7, brokenAt: null });
    await expect(other.db.$client.query('DELETE FROM audit_log')).rejects.toThrow('can only be appended to');
    await other.db.$client.query('ALTER TABLE audit_log DISABLE TRIGGER USER; DELETE FROM audit_log WHERE id = 8');
    expect((await verifyAudit(other.db)).brokenAt).toBe(9);
  } finally {
    await other.close();
  }
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
