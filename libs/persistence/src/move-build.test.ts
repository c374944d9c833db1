import { testStack } from '@kiln/kit/testing';
import { buildMoves, type BuildState, buildStates, isTerminal } from '@kiln/schemas';
import { sql } from 'drizzle-orm';
import {
  appendLog,
  attemptsMax,
  cancelQueued,
  claimBuild,
  claimRegistration,
  commitTagMove,
  createAccount,
  loadBuild,
  moveBuild,
  relayOutbox,
  requestCancel,
  submitBuild,
  sweepClocks,
  sweepExpiredLeases,
  sweepUnheard,
} from './index.ts';
import { openTestDatabase } from './testing/index.ts';

let opened: Awaited<ReturnType<typeof openTestDatabase>>;
let account: Awaited<ReturnType<typeof createAccount>>;
let count = 0;
beforeAll(async () => {
  opened = await openTestDatabase(testStack().postgresUrl);
  account = await createAccount(opened.db, 'test');
});
afterAll(() => opened.close());

const newBuild = async (change: { tag?: string; name?: string; token?: string; hash?: string } = {}) => {
  count += 1;
  const id = `build-${count}`;
  const name = change.name ?? `name-${count}`;
  const outcome = await submitBuild(opened.db, {
    id,
    jobId: `dlc-${count}`,
    accountId: account.id,
    projectId: account.projectId,
    workspaceId: account.workspaceId,
    userId: account.userId,
    clientToken: change.token ?? null,
    requestHash: change.hash ?? 'h',
    spec: {
      WorkspaceId: account.workspaceId,
      Accessibility: 'PRIVATE',
      Resource: {},
      TargetRegistry: { Type: 'AcrEnterprise', InstanceId: 'cri' },
      OverwriteImageTag: false,
      BuildConfig: { Dockerfile: 'FROM a', BuildType: 'CustomDockerfile', RegistryAuthHosts: [] },
      Image: { Name: name, Uri: 'r/a/b:1', Labels: [] },
    },
    registryAuthsSealed: null,
    displayName: name,
    registryConnectionId: 'cri',
    host: 'r',
    repository: 'a/b',
    tag: change.tag ?? `t${count}`,
  });
  return { id, outcome };
};

const claimed = async (change = {}) => {
  const { id } = await newBuild(change);
  const build = await claimBuild(opened.db, id, 0, 'w1');
  if (!build) throw new Error('not claimed');
  return build;
};
const registering = async (change = {}) => {
  const build = await claimed(change);
  for (const [from, to] of [['assigned', 'running'], ['running', 'publishing'], ['publishing', 'registering']] as const) {
    await moveBuild(opened.db, { id: build.id, from: [from], to, message: to, fence: build.fence });
  } // prettier-ignore
  const held = await claimRegistration(opened.db, build.id, 1, 'r1');
  if (!held) throw new Error('not claimed for registration');
  return held;
};
const expireLease = (id: string) =>
  opened.db.execute(sql`UPDATE builds SET lease_until = now() - interval '1 s' WHERE id = ${id}`);
const stateOf = async (id: string) => (await loadBuild(opened.db, id))?.state;

describe('moves', () => {
  it('are those of the schemas and no others, in the database too', async () => {
    const { id } = await newBuild();
    for (const from of buildStates) {
      for (const to of buildStates.filter((it) => it !== from)) {
        // Replica mode sets the starting state past the trigger.
        await opened.db.transaction(async (tx) => {
          await tx.execute(sql`SET LOCAL session_replication_role = replica`);
          await tx.execute(sql`UPDATE builds SET state = ${from} WHERE id = ${id}`);
        });
        const moved = await opened.db.execute(sql`UPDATE builds SET state = ${to} WHERE id = ${id}`).then(
          () => true,
          () => false,
        );
        expect(`${from} → ${to}: ${moved}`).toBe(`${from} → ${to}: ${buildMoves[from].includes(to)}`);
      }
      if (isTerminal(from)) expect(buildMoves[from]).toEqual([]);
    }
    await opened.db.transaction(async (tx) => {
      await tx.execute(sql`SET LOCAL session_replication_role = replica`);
      await tx.execute(sql`UPDATE builds SET state = 'cancelled' WHERE id = ${id}`);
    });
  });

  it('are refused to a stale fence, and then write neither event nor announcement', async () => {
    const build = await claimed();
    const rows = async () =>
      (
        await opened.db.execute(
          sql`SELECT (SELECT count(*) FROM build_events) AS e, (SELECT count(*) FROM outbox) AS o`,
        )
      ).rows[0];
    const before = await rows();
    expect(
      await moveBuild(opened.db, {
        id: build.id,
        from: ['assigned'],
        to: 'running',
        message: 'x',
        fence: build.fence - 1,
      }),
    ).toBeUndefined();
    expect(await rows()).toEqual(before);
    expect(
      await appendLog(
        opened.db,
        { ...build, fence: build.fence - 1 },
        { seq: 0, firstLine: 0, lineTimes: [1], text: 'x' },
      ),
    ).toBe(false);
    expect(await appendLog(opened.db, build, { seq: 0, firstLine: 0, lineTimes: [1], text: 'x' })).toBe(true);
  });

  it('let one of many claims win', async () => {
    const { id } = await newBuild();
    const claims = await Promise.all(Array.from({ length: 20 }, (_, n) => claimBuild(opened.db, id, 0, `w${n}`)));
    expect(claims.filter(Boolean)).toHaveLength(1);
    expect(await claimBuild(opened.db, id, 0, 'late')).toBeUndefined();
  });
});

describe('one client token', () => {
  it('makes one build, however many requests race', async () => {
    const outcomes = await Promise.all(
      Array.from({ length: 32 }, (_, n) => newBuild({ token: 'race', hash: n % 2 ? 'a' : 'b', name: `race-${n}` })),
    );
    expect(outcomes.filter((it) => it.outcome.outcome === 'accepted')).toHaveLength(1);
    const winner = outcomes.find((it) => it.outcome.outcome === 'accepted')?.id;
    for (const { outcome } of outcomes) if (outcome.outcome === 'token-used') expect(outcome.id).toBe(winner);
    expect(outcomes.every((it) => it.outcome.outcome !== 'name-taken')).toBe(true);
  });
});

describe('cancelling', () => {
  it('ends a waiting build, asks a running one, and comes too late after the commit point', async () => {
    const { id } = await newBuild();
    expect([await cancelQueued(opened.db, id), await stateOf(id)]).toEqual([true, 'cancelled']);

    const running = await claimed();
    expect([await requestCancel(opened.db, running.id), await stateOf(running.id)]).toEqual([true, 'cancelling']);
    expect(
      await moveBuild(opened.db, {
        id: running.id,
        from: ['assigned'],
        to: 'running',
        message: 'x',
        fence: running.fence,
      }),
    ).toBeUndefined();

    const early = await registering();
    expect(await requestCancel(opened.db, early.id)).toBe(true);
    expect(await commitTagMove(opened.db, early, 'sha256:x')).toBeUndefined();

    const late = await registering();
    expect(await commitTagMove(opened.db, late, 'sha256:x')).toMatchObject({ overtaken: false });
    expect([await requestCancel(opened.db, late.id), await stateOf(late.id)]).toEqual([false, 'registering']);
  });
});

describe('tag moves', () => {
  it('have one order, and an overtaken one knows it', async () => {
    const first = await registering({ tag: 'shared' });
    const second = await registering({ tag: 'shared' });
    expect(await commitTagMove(opened.db, first, 'sha256:1')).toMatchObject({ overtaken: false });
    expect(await commitTagMove(opened.db, second, 'sha256:2')).toMatchObject({ overtaken: false });
    // The first comes again, after a crash.
    expect(await commitTagMove(opened.db, first, 'sha256:1')).toMatchObject({ overtaken: true });
  });
});

describe('the sweeper', () => {
  const now = () => 0;
  it('hands an expired build back while attempts are left, then fails it, and leaves live ones alone', async () => {
    const live = await claimed();
    const dead = await claimed();
    for (let attempt = 1; attempt < attemptsMax; attempt += 1) {
      await expireLease(dead.id);
      await sweepExpiredLeases(opened.db, now);
      expect(await stateOf(dead.id)).toBe('queued');
      expect((await claimBuild(opened.db, dead.id, attempt, 'w2'))?.attempt).toBe(attempt + 1);
    }
    await expireLease(dead.id);
    await sweepExpiredLeases(opened.db, now);
    expect(await loadBuild(opened.db, dead.id)).toMatchObject({
      state: 'failed',
      error: { code: 'LeaseLost', class: 'infra', attempt: attemptsMax },
    });
    expect(await stateOf(live.id)).toBe('assigned');
  });

  it('ends a cancelled build whose worker has gone', async () => {
    const build = await claimed();
    await requestCancel(opened.db, build.id);
    await expireLease(build.id);
    await sweepExpiredLeases(opened.db, now);
    expect(await stateOf(build.id)).toBe('cancelled');
  });

  it('ends a build that was asked to stop between two holders', async () => {
    const build = await registering();
    await requestCancel(opened.db, build.id);
    await opened.db.execute(sql`UPDATE builds SET lease_until = NULL WHERE id = ${build.id}`);
    await sweepExpiredLeases(opened.db, now);
    expect(await stateOf(build.id)).toBe('cancelled');
  });

  it('names the clock that ran out', async () => {
    const { id } = await newBuild();
    const ran = await claimed();
    await opened.db.execute(sql`UPDATE builds SET created_at = now() - interval '1 h' WHERE id = ${id}`);
    await opened.db.execute(sql`UPDATE builds SET started_at = now() - interval '1 h' WHERE id = ${ran.id}`);
    await sweepClocks(opened.db, { queueSeconds: 60, runSeconds: 60 });
    expect(await loadBuild(opened.db, id)).toMatchObject({ state: 'expired', error: { code: 'QueueTimeout' } });
    expect(await loadBuild(opened.db, ran.id)).toMatchObject({ state: 'timed_out', error: { code: 'RunTimeout' } });
  });

  it('announces again what nobody took', async () => {
    const { id } = await newBuild();
    await relayOutbox(opened.db, 1000, () => Promise.resolve()); // told, but lost by Redis
    await opened.db.execute(sql`UPDATE builds SET announced_at = now() - interval '1 h' WHERE id = ${id}`);
    expect(await sweepUnheard(opened.db, 10)).toBeGreaterThan(0);
    const told: string[] = [];
    await relayOutbox(opened.db, 1000, (rows) => Promise.resolve(void told.push(...rows.map((it) => it.key))));
    expect(told).toContain(`${id}-0`);
  });
});

describe('the outbox', () => {
  it('keeps what could not be sent, and hands each row to one relay only', async () => {
    await relayOutbox(opened.db, 10_000, () => Promise.resolve());
    const ids: string[] = [];
    for (let n = 0; n < 40; n += 1) ids.push((await newBuild()).id);
    await expect(relayOutbox(opened.db, 100, () => Promise.reject(new Error('redis is away')))).rejects.toThrow(
      'redis is away',
    );
    const sent: string[] = [];
    await Promise.all(
      Array.from({ length: 6 }, () =>
        relayOutbox(opened.db, 10, (rows) => Promise.resolve(void sent.push(...rows.map((it) => it.key)))),
      ),
    );
    await relayOutbox(opened.db, 100, (rows) => Promise.resolve(void sent.push(...rows.map((it) => it.key))));
    expect(sent.sort()).toEqual(ids.map((it) => `${it}-0`).sort());
  });
});

// The states are typed; a test that loops over none would prove nothing.
it('covers every state', () => {
  const states: BuildState[] = [...buildStates];
  expect(states.length).toBe(11);
});
