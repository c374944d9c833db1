import { randomUUID } from 'node:crypto';
import { Secret } from '@kiln/kit';
import pg from 'pg';
import { type App, appRoles, scramVerifier } from '../schema/app-roles.ts';
import { acrossAccounts, actingFor } from './tenant-pool.ts';
import { createAccount } from '../accounts/provision.ts';
import { type OpenDatabase, openDatabase } from './database.ts';
import { type BuildBench, openBuildBench } from '../testing/build-bench.ts';

let bench: BuildBench;
let own: Awaited<ReturnType<typeof createAccount>>;
let other: Awaited<ReturnType<typeof createAccount>>;
const builds = { own: '', other: '' };
const closers: (() => Promise<void>)[] = [];

/** The bench's database as an app signs in to it. */
function openAs(app: App, scope: 'caller' | 'all', connections = 2): OpenDatabase {
  const url = new URL(bench.url);
  const everyone = scope === 'all' ? ' -c kiln.account=*' : '';
  url.searchParams.set('options', `-c role=${appRoles[app]}${everyone}`);
  const opened = openDatabase(new Secret(url.href), { connections, scope });
  closers.push(opened.close);
  return opened;
}
type Row = Record<string, unknown>;
const query = async ({ db }: OpenDatabase, text: string, values: unknown[] = []): Promise<Row[]> =>
  (await db.$client.query<Row>(text, values)).rows;

/** Tables in which a row belongs to nobody: how the queue and the workers are told of work. */
const nobodys = [
  'event_marks',
  'outbox',
  'pool_turns',
  'registry_budgets',
  'request_nonces',
  'slot_samples',
  'tag_moves',
  'workers',
];
/** Every table, and how many rows of it belong to one account. */
let walled: { name: string; ofOwn: number }[];

beforeAll(async () => {
  bench = await openBuildBench();
  own = bench.account;
  other = await createAccount(bench.db, 'other');
  builds.own = (await bench.claimed()).id;
  builds.other = (await bench.claimed({ accountId: other.id })).id;
  const run = (text: string, values: unknown[]) => bench.db.$client.query<{ name: string; n: string }>(text, values);
  for (const [account, build] of [[own, builds.own], [other, builds.other]] as const) {
    const image = randomUUID();
    await run(
      `INSERT INTO images (id, pai_id, account_id, project_id, workspace_id, user_id, name, host, repository, tag, visibility,
         arch, resource_categories, services, status, via)
       VALUES ($1::uuid, $1::text, $2, $3, $4, $5, 'n', 'r', 'a/b', 't', 'PUBLIC', 'X86_64', '{}', '{}', 'ACTIVE', 'pai')`,
      [image, account.id, account.projectId, account.workspaceId, account.userId],
    );
    await run(`INSERT INTO image_labels VALUES ($1, 'k', 'v')`, [image]);
    await run(`INSERT INTO build_log_chunks VALUES ($1, 1, 0, 0, '{}', '{}', 'text')`, [build]);
    await run(
      `INSERT INTO build_phases VALUES ($1, 1, 'base', now(), now(), 'ok')`, [build]);
    await run(`INSERT INTO build_steps VALUES ($1, 1, 1, 1, 'FROM x', 1, 1, 0, NULL, now())`, [build]);
    await run(`INSERT INTO workspace_members VALUES ($1, $2)`, [account.workspaceId, account.userId]);
    await run(`INSERT INTO access_keys (id, account_id, user_id, secret_sealed) VALUES ($1, $2, $3, 's')`, [randomUUID(), account.id, account.userId]);
    await run(`INSERT INTO tokens (id, account_id, user_id, hash) VALUES ($1, $2, $3, $4)`, [randomUUID(), account.id, account.userId, randomUUID()]);
    await run(`INSERT INTO registry_connections (account_id, id, host, tls_mode) VALUES ($1, 'c', 'r', 'http')`, [account.id]);
    await run(`INSERT INTO build_secrets (account_id, name, sealed) VALUES ($1, 'n', 's')`, [account.id]);
    await run(`INSERT INTO account_shares (account_id) VALUES ($1)`, [account.id]);
    await run(`INSERT INTO workspace_policies VALUES ($1, $2, 'note', '{}', 300, 'off', false, 'gone')`, [account.workspaceId, account.id]);
    await run(`INSERT INTO attestations (id, account_id, workspace_id, host, repository, digest, arch, build_id) VALUES ($1, $2, 'w', 'h', 'r', 'd', 'a', 'b')`, [randomUUID(), account.id]);
    await run(`INSERT INTO watched_tags (account_id, reference, host) VALUES ($1, 'r/a/b:t', 'r') ON CONFLICT DO NOTHING`, [account.id]);
    await run(`INSERT INTO retention_rules (workspace_id, account_id, rules) VALUES ($1, $2, '{}')`, [account.workspaceId, account.id]);
    await run(`INSERT INTO retention_plans (id, account_id, workspace_id, user_id, images, bytes) VALUES ($1, $1, 'w', 'u', '[]', 0)`, [account.id]);
    await run(`INSERT INTO campaigns (id, account_id, workspace_id, user_id, title, rate_per_hour, canary_percent, stop_percent) VALUES ($1, $1, 'w', 'u', '', 1, 1, 1)`, [account.id]);
    await run(`INSERT INTO campaign_images (campaign_id, account_id, place, image_id, source_build_id, reference, bases) VALUES ($1, $1, 1, $2, 'b', 'r', '{}')`, [account.id, image]);
    await run(`INSERT INTO signing_keys VALUES ('k', $1, 'p', 's')`, [account.id]);
    await run(`INSERT INTO account_turns VALUES ($1, '', 1)`, [account.id]);
    await run(`INSERT INTO worker_caches VALUES ($1, 'w', 'k')`, [account.id]);
    await run(`INSERT INTO contexts (account_id, id, files, bytes, expires_at) VALUES ($1, 'c', 1, 1, now())`, [account.id]);
    await run(`INSERT INTO inspections (id, account_id, host, repository, reference, catalogued) VALUES ($1, $1, 'r', 'a/b', 't', false)`, [account.id]);
    await run(`INSERT INTO image_packages VALUES ($1, $1, 'deb', 'n', '1', 'n', '{1}', 0)`, [account.id]);
    await run(`INSERT INTO layer_facts (account_id, digest, reader, facts) VALUES ($1, 'd', 1, '{}')`, [account.id]);
    await run(`INSERT INTO source_connections (account_id, host, tls_mode) VALUES ($1, 'h', 'verify')`, [account.id]);
    await run(`INSERT INTO webhooks (id, account_id, url, description, types, secret_sealed) VALUES ($1, $1, '', '', '{}', 's')`, [account.id]);
    await run(
      `INSERT INTO webhook_deliveries (webhook_id, account_id, event_id)
       SELECT $1, $1, max(id) FROM events WHERE account_id = $1`, [account.id]);
  } // prettier-ignore
  const { rows } = await run(
    `SELECT relname AS name FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
     AND NOT relrowsecurity ORDER BY 1`,
    [],
  );
  expect(rows.map((it) => it.name)).toEqual(nobodys);
  const tables = await run(
    `SELECT relname AS name FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relrowsecurity`,
    [],
  );
  const parent = (name: string) =>
    name.startsWith('build_') && name !== 'build_secrets'
      ? `build_id IN (SELECT id FROM builds WHERE account_id = $1)`
      : name === 'image_labels'
        ? `image_id IN (SELECT id FROM images WHERE account_id = $1)`
        : name === 'workspace_members'
          ? `workspace_id IN (SELECT id FROM workspaces WHERE account_id = $1)`
          : name === 'accounts'
            ? `id = $1`
            : `account_id = $1`;
  walled = await Promise.all(
    tables.rows.map(async ({ name }) => ({
      name,
      ofOwn: Number((await run(`SELECT count(*) AS n FROM ${name} WHERE ${parent(name)}`, [own.id])).rows[0]?.n),
    })),
  );
});
afterAll(async () => {
  for (const close of closers) await close();
  await bench.close();
});

/** What an app's user may not even ask for. */
const forbidden = /permission denied/;

describe('the wall between accounts', () => {
  it('stands in every table with rows of accounts, and the test has some in each', () => {
    expect(walled.length).toBe(39);
    expect(walled.filter((it) => it.ofOwn === 0 && it.name !== 'audit_log')).toEqual([]);
  });

  it('shows the caller its own rows of every table, whatever is asked for, and nobody any without a caller', async () => {
    const api = openAs('api', 'caller');
    for (const { name, ofOwn } of walled) {
      if (['build_secrets', 'audit_log', 'layer_facts', 'worker_caches'].includes(name)) continue;
      const count = async () => Number((await query(api, `SELECT count(*) AS n FROM ${name}`))[0]?.['n']);
      expect([name, await actingFor(own.id, count), await count()]).toEqual([name, ofOwn, 0]);
      expect(await acrossAccounts(count)).toBeGreaterThan(ofOwn);
    }
  });

  it('lets nothing be written for another account', async () => {
    const api = openAs('api', 'caller');
    const refused = /row-level security/;
    const as = (text: string, values: unknown[]) => actingFor(own.id, () => query(api, text, values));
    await expect(
      as(`INSERT INTO tokens (id, account_id, user_id, hash) VALUES ($1, $2, $3, 'h')`, [
        randomUUID(),
        other.id,
        other.userId,
      ]),
    ).rejects.toThrow(refused);
    await expect(
      as(`INSERT INTO build_events (build_id, state, attempt, message) VALUES ($1, 'queued', 0, '')`, [builds.other]),
    ).rejects.toThrow(refused);
    await expect(as(`UPDATE builds SET account_id = $1 WHERE id = $2`, [other.id, builds.own])).rejects.toThrow(
      refused,
    );
    expect(await as(`UPDATE builds SET tag = 'x' WHERE id = $1 RETURNING id`, [builds.other])).toEqual([]);
    expect(await as(`UPDATE builds SET tag = 'x' WHERE id = $1 RETURNING id`, [builds.own])).toEqual([
      { id: builds.own },
    ]);
  });

  it('holds while callers share connections and wait for them', async () => {
    const api = openAs('api', 'caller', 2);
    const seen = await Promise.all(
      Array.from({ length: 60 }, (_, n) => {
        const { id } = n % 3 === 0 ? other : own;
        return actingFor(id, async () => {
          await new Promise((resolve) => setTimeout(resolve, n % 5));
          const rows = await query(api, 'SELECT account_id FROM builds');
          return rows.every((it) => it['account_id'] === id) && rows.length === 1;
        });
      }),
    );
    expect(seen).toEqual(seen.map(() => true));
  });

  it('lets searches for a part of a name use their index', async () => {
    const api = openAs('api', 'caller');
    const plan = await actingFor(own.id, async () => {
      const client = await api.db.$client.connect();
      try {
        await client.query('SET enable_seqscan = off; SET enable_indexscan = off');
        return (await client.query<Row>(`EXPLAIN SELECT id FROM images WHERE name LIKE '%part%'`)).rows;
      } finally {
        client.release(true);
      }
    });
    expect(JSON.stringify(plan)).toContain('images_name_part');
  });
});

describe("the apps' users", () => {
  it.each([
    [
      'builder',
      [
        'build_log_chunks',
        'build_events',
        'accounts',
        'users',
        'access_keys',
        'tokens',
        'request_nonces',
        'audit_log',
        'image_labels',
      ],
    ],
    [
      'registrar',
      ['build_events', 'accounts', 'users', 'access_keys', 'build_secrets', 'audit_log', 'build_log_chunks'],
    ],
    ['api', ['build_secrets', 'tag_moves']],
  ] as const)('of the %s reads nothing that it has no use for', async (app, tables) => {
    const opened = openAs(app, 'all');
    for (const table of tables) await expect(query(opened, `SELECT * FROM ${table}`)).rejects.toThrow(forbidden);
  });

  it.each(['api', 'builder', 'registrar'] as const)(
    'of the %s changes neither tables nor who may do what',
    async (app) => {
      const opened = openAs(app, 'all');
      for (const text of [
        `UPDATE accounts SET operates = true`,
        `UPDATE users SET account_id = 'mine'`,
        `UPDATE access_keys SET account_id = 'mine'`,
        ...(app === 'api' ? [] : [`UPDATE users SET role = 'admin'`, `UPDATE registry_connections SET host = 'mine'`]),
        // The registrar forgets old ones.
        ...(app === 'registrar' ? [] : [`DELETE FROM builds`]),
        `TRUNCATE outbox`,
        `CREATE TABLE mine (id int)`,
        `CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'`,
      ])
        await expect(query(opened, text)).rejects.toThrow(forbidden);
      for (const text of [
        `ALTER TABLE builds DISABLE ROW LEVEL SECURITY`,
        `DROP POLICY own_account ON builds`,
        `ALTER TABLE audit_log DISABLE TRIGGER audit_refuse`,
      ])
        await expect(query(opened, text)).rejects.toThrow(/must be owner/);
    },
  );

  it('can call nothing that acts with the owner’s rights, but to ask whose a parent is', async () => {
    const { rows } = await bench.db.$client.query<{ name: string }>(
      `SELECT proname AS name FROM pg_proc WHERE prosecdef AND pronamespace = 'public'::regnamespace
       AND has_function_privilege('kiln_api', oid, 'EXECUTE') ORDER BY 1`,
    );
    expect(rows.map((it) => it.name)).toEqual(['anothers_build', 'anothers_image']);
    const api = openAs('api', 'all');
    await expect(query(api, 'CREATE TEMPORARY TABLE mine (id int)')).rejects.toThrow(forbidden);
  });

  it('have passwords that PostgreSQL takes, of which it learns only how to check them', async () => {
    const name = `walls_${randomUUID().slice(0, 8)}`;
    const url = new URL(bench.url);
    await bench.db.$client.query(`CREATE ROLE ${name} LOGIN PASSWORD '${scramVerifier('grüße')}'`);
    try {
      url.username = name;
      url.password = encodeURIComponent('grüße');
      const client = new pg.Client({ connectionString: url.href });
      await client.connect();
      await client.end();
      url.password = 'other';
      await expect(new pg.Client({ connectionString: url.href }).connect()).rejects.toThrow('password');
    } finally {
      await bench.db.$client.query(`DROP ROLE ${name}`);
    }
  });
});
