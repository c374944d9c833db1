import { buildMoves, type BuildState, buildStates, isTerminal } from '@kiln/domain';
import { sql } from 'drizzle-orm';
import { appendLog, claimBuild } from './build-work.ts';
import { cancelQueued, requestCancel } from './cancel-build.ts';
import { commitTagMove } from './registration.ts';
import { moveBuild } from './move-build.ts';
import { type BuildBench, openBuildBench } from '../testing/build-bench.ts';

let bench: BuildBench;
beforeAll(async () => {
  bench = await openBuildBench();
});
afterAll(() => bench.close());

describe('moves', () => {
  it('are those of the domain and no others, in the database too', async () => {
    const { id } = await bench.newBuild();
    for (const from of buildStates) {
      for (const to of buildStates.filter((it) => it !== from)) {
        // Replica mode sets the starting state past the trigger.
        await bench.db.transaction(async (tx) => {
          await tx.execute(sql`SET LOCAL session_replication_role = replica`);
          await tx.execute(sql`UPDATE builds SET state = ${from} WHERE id = ${id}`);
        });
        const moved = await bench.db.execute(sql`UPDATE builds SET state = ${to} WHERE id = ${id}`).then(
          () => true,
          () => false,
        );
        expect(`${from} → ${to}: ${moved}`).toBe(`${from} → ${to}: ${buildMoves[from].includes(to)}`);
      }
      if (isTerminal(from)) expect(buildMoves[from]).toEqual([]);
    }
    await bench.db.transaction(async (tx) => {
      await tx.execute(sql`SET LOCAL session_replication_role = replica`);
      await tx.execute(sql`UPDATE builds SET state = 'cancelled' WHERE id = ${id}`);
    });
  });

  it('are refused to a stale fence, and then write neither event nor announcement', async () => {
    const build = await bench.claimed();
    const rows = async () =>
      (await bench.db.execute(sql`SELECT (SELECT count(*) FROM build_events) AS e, (SELECT count(*) FROM outbox) AS o`))
        .rows[0];
    const before = await rows();
    expect(
      await moveBuild(bench.db, {
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
        bench.db,
        { ...build, fence: build.fence - 1 },
        { seq: 0, firstLine: 0, lineTimes: [1], lineSteps: [0], text: 'x' },
      ),
    ).toBe(false);
    expect(await appendLog(bench.db, build, { seq: 0, firstLine: 0, lineTimes: [1], lineSteps: [0], text: 'x' })).toBe(
      true,
    );
  });

  it('let one of many claims win', async () => {
    const { id } = await bench.newBuild();
    const claims = await Promise.all(Array.from({ length: 20 }, (_, n) => claimBuild(bench.db, id, 0, `w${n}`)));
    expect(claims.filter(Boolean)).toHaveLength(1);
    expect(await claimBuild(bench.db, id, 0, 'late')).toBeUndefined();
  });
});

describe('one client token', () => {
  it('makes one build, however many requests race', async () => {
    const outcomes = await Promise.all(
      Array.from({ length: 32 }, (_, n) =>
        bench.newBuild({ token: 'race', hash: n % 2 ? 'a' : 'b', name: `race-${n}` }),
      ),
    );
    expect(outcomes.filter((it) => it.outcome.outcome === 'accepted')).toHaveLength(1);
    const winner = outcomes.find((it) => it.outcome.outcome === 'accepted')?.id;
    for (const { outcome } of outcomes) if (outcome.outcome === 'token-used') expect(outcome.id).toBe(winner);
    expect(outcomes.every((it) => it.outcome.outcome !== 'name-taken')).toBe(true);
  });
});

describe('cancelling', () => {
  it('ends a waiting build, asks a running one, and comes too late after the commit point', async () => {
    const { id } = await bench.newBuild();
    expect([await cancelQueued(bench.db, id), await bench.stateOf(id)]).toEqual([true, 'cancelled']);

    const running = await bench.claimed();
    expect([await requestCancel(bench.db, running.id), await bench.stateOf(running.id)]).toEqual([true, 'cancelling']);
    expect(
      await moveBuild(bench.db, {
        id: running.id,
        from: ['assigned'],
        to: 'running',
        message: 'x',
        fence: running.fence,
      }),
    ).toBeUndefined();

    const early = await bench.registering();
    expect(await requestCancel(bench.db, early.id)).toBe(true);
    expect(await commitTagMove(bench.db, early, 'sha256:x')).toBe('not-held');

    const late = await bench.registering();
    expect(await commitTagMove(bench.db, late, 'sha256:x')).toBe('committed');
    expect([await requestCancel(bench.db, late.id), await bench.stateOf(late.id)]).toEqual([false, 'registering']);
  });
});

describe('tag moves', () => {
  it('have one order, and an overtaken one knows it', async () => {
    const first = await bench.registering({ tag: 'shared' });
    const second = await bench.registering({ tag: 'shared' });
    expect(await commitTagMove(bench.db, first, 'sha256:1')).toBe('committed');
    // While the first may still be setting it, nobody else does, even without the lock.
    expect(await commitTagMove(bench.db, second, 'sha256:2')).toBe('busy');
    await bench.expireLease(first.id);
    expect(await commitTagMove(bench.db, second, 'sha256:2')).toBe('committed');
    await bench.expireLease(second.id);
    // The first comes again, after a crash.
    expect(await commitTagMove(bench.db, first, 'sha256:1')).toBe('overtaken');
  });
});

// The states are typed; a test that loops over none would prove nothing.
it('covers every state', () => {
  const states: BuildState[] = [...buildStates];
  expect(states.length).toBe(11);
});
