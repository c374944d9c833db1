import type { FaultKiln } from '../fault-kiln.ts';
import type { Link } from '../link.ts';
import { type Aim, recovery, running, type Scenario, sleep } from '../scenario.ts';

const setAll = (kiln: FaultKiln, which: 'postgres' | 'redis', mode: Parameters<Link['set']>[0]): void =>
  kiln.fleet.members.forEach((it) => it.links[which].set(mode));

/** While Redis is away, every submission is accepted at once. */
async function requireAccepting(kiln: FaultKiln, times: number): Promise<string[]> {
  const ids: string[] = [];
  for (let n = 0; n < times; n += 1) {
    const answer = await kiln
      .api(n % 2 === 0 ? 1 : 2)
      .pai('POST', '/api/v1/imagebuilds', { body: kiln.request({ seconds: 0 }) });
    if (answer.status !== 200)
      throw new Error(`without Redis a submission was answered ${answer.status}: ${answer.text}`);
    ids.push((answer.body as { ImageBuildId: string }).ImageBuildId);
  }
  ids.forEach((it) => kiln.accepted.add(it));
  return ids;
}

/** A server is away for a while. */
interface Outage {
  name: string;
  ms: number;
  away: (kiln: FaultKiln) => unknown;
  back: (kiln: FaultKiln) => unknown;
  short?: boolean;
  aim?: Aim;
}

/**
 * @param before submits builds that the outage hits
 * @param during what has to hold meanwhile
 * @param after how long it took until work went on
 */
const outage = <T>(
  { name, ms, away, back, short = false, aim = 'server' }: Outage,
  before: (kiln: FaultKiln) => Promise<string[]>,
  during: (kiln: FaultKiln) => Promise<T>,
  after: (kiln: FaultKiln, sinceMs: number, hit: string[], done: T) => Promise<number | undefined>,
): Scenario => ({
  name,
  aim,
  short,
  async run(kiln) {
    const hit = await before(kiln);
    await away(kiln);
    const done = await during(kiln);
    await sleep(ms);
    await back(kiln);
    return after(kiln, Date.now(), hit, done);
  },
});

const redisOutage = (it: Outage): Scenario =>
  outage(
    it,
    async (kiln) => [await kiln.submit(), await kiln.submit()],
    (kiln) => requireAccepting(kiln, 4),
    async (kiln, since, hit, accepted) => {
      await kiln.ended(hit);
      return recovery(kiln, accepted, since, 'first attempt');
    },
  );

/** Without PostgreSQL, a submission is refused with 503 and a time to come back, and never accepted. */
async function requireRefusing(kiln: FaultKiln): Promise<void> {
  const answer = await kiln.api(1).pai('POST', '/api/v1/imagebuilds', { body: kiln.request() });
  if (answer.status !== 503 || !answer.headers.get('retry-after'))
    throw new Error(`without PostgreSQL a submission was answered ${answer.status}: ${answer.text}`);
}

const postgresOutage = (it: Outage): Scenario =>
  outage(
    it,
    async (kiln) => {
      const ids: string[] = [];
      for (const seconds of [4, 1, 1]) ids.push(await kiln.submit(kiln.request({ seconds })));
      await kiln.stepRuns(ids[0] ?? '');
      return ids;
    },
    requireRefusing,
    async (kiln, since, hit) => {
      // Whoever submits now is served.
      const late = await kiln.submit(kiln.request({ seconds: 0 }));
      // And what was interrupted goes on.
      const times = [
        await recovery(kiln, [late], since, 'first attempt'),
        await recovery(kiln, hit, since, 'next attempt'),
      ];
      return Math.max(...times.map((it) => it ?? 0));
    },
  );

const killed = (which: 'postgres' | 'redis') => ({
  away: (kiln: FaultKiln) => kiln[which].kill(),
  back: (kiln: FaultKiln) => kiln[which].start(),
});
const blackHoled = (which: 'postgres' | 'redis') => ({
  away: (kiln: FaultKiln) => setAll(kiln, which, 'black-hole'),
  back: (kiln: FaultKiln) => setAll(kiln, which, 'pass'),
  aim: 'silence' as const,
});

/** PostgreSQL and Redis killed, restarted, wiped, cut off. */
export const servers: Scenario[] = [
  {
    name: 'Redis wiped (FLUSHALL) while builds wait and run',
    aim: 'server',
    short: true,
    async run(kiln) {
      const ids = await Promise.all([1, 1, 1, 1, 1, 1].map((seconds) => kiln.submit(kiln.request({ seconds }))));
      await sleep(600);
      await kiln.flushRedis();
      const since = Date.now();
      const begun = await kiln.sql<{ id: string }>(
        'SELECT build_id AS id FROM build_attempts WHERE build_id = ANY($1) AND started_at <= to_timestamp($2::float8 / 1000)',
        [ids, since],
      );
      await kiln.ended(ids);
      const waited = ids.filter((id) => !begun.some((it) => it.id === id));
      return recovery(kiln, waited, since, 'first attempt');
    },
  },
  redisOutage({ name: 'Redis killed and started again at once', ms: 0, ...killed('redis') }),
  redisOutage({ name: 'Redis away for 30 s', ms: 30_000, ...killed('redis') }),
  redisOutage({ name: 'Redis black-holed for 30 s', ms: 30_000, ...blackHoled('redis') }),
  {
    name: 'Redis absent while all six processes start',
    aim: 'server',
    short: false,
    async run(kiln) {
      await kiln.redis.kill();
      await Promise.all(kiln.fleet.members.map((it) => kiln.fleet.kill(it.name)));
      await kiln.fleet.whole();
      const ids = await requireAccepting(kiln, 3);
      await kiln.redis.start();
      return recovery(kiln, ids, Date.now(), 'first attempt');
    },
  },
  {
    name: 'PostgreSQL killed and its synchronous standby promoted',
    aim: 'server',
    short: true,
    async run(kiln) {
      const promote = await kiln.followPostgres();
      const hit = [await kiln.submit(kiln.request({ seconds: 4 }))];
      await kiln.stepRuns(hit[0] ?? '');
      // Until the last moment: what was accepted then must be there afterwards.
      const submitted: Promise<string>[] = [];
      let isOver = false;
      const submitting = (async () => {
        while (!isOver) {
          submitted.push(kiln.submit(kiln.request({ seconds: 0 })));
          await sleep(150);
        }
      })();
      await sleep(1000);
      await promote();
      const since = Date.now();
      isOver = true;
      const late = await kiln.submit(kiln.request({ seconds: 0 }));
      await submitting;
      await kiln.ended(await Promise.all(submitted), 120_000);
      const times = [
        await recovery(kiln, [late], since, 'first attempt'),
        await recovery(kiln, hit, since, 'next attempt'),
      ];
      return Math.max(...times.map((it) => it ?? 0));
    },
  },
  postgresOutage({
    name: 'PostgreSQL killed (kill -9) and started again at once',
    ms: 0,
    ...killed('postgres'),
    short: true,
  }),
  postgresOutage({ name: 'PostgreSQL away for 30 s', ms: 30_000, ...killed('postgres') }),
  postgresOutage({ name: 'PostgreSQL black-holed for 30 s', ms: 30_000, ...blackHoled('postgres') }),
  {
    name: 'PostgreSQL with no connection left for 10 s',
    aim: 'server',
    short: false,
    async run(kiln) {
      const { id } = await running(kiln, 2);
      const release = await kiln.takeAllConnections();
      await sleep(10_000);
      await release();
      const since = Date.now();
      const after = await kiln.submit(kiln.request({ seconds: 0 }));
      await kiln.ended([id, after]);
      return recovery(kiln, [after], since, 'first attempt');
    },
  },
];
