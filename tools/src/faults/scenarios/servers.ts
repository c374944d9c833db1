import { type FaultKiln } from '../fault-kiln.ts';
import { type Link } from '../link.ts';
import { type Aim, recovery, type Scenario, sleep } from '../scenario.ts';

const links = (kiln: FaultKiln, which: 'postgres' | 'redis'): Link[] => kiln.fleet.members.map((it) => it.links[which]);
const setAll = (kiln: FaultKiln, which: 'postgres' | 'redis', mode: Parameters<Link['set']>[0]): void =>
  links(kiln, which).forEach((it) => it.set(mode));

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

const withRedisAway = (
  name: string,
  ms: number,
  away: (kiln: FaultKiln) => Promise<void>,
  back: (kiln: FaultKiln) => Promise<void>,
  { short = false, aim = 'server' }: { short?: boolean; aim?: Aim } = {},
): Scenario => ({
  name,
  aim,
  short,
  async run(kiln) {
    const before = [await kiln.submit(), await kiln.submit()];
    await away(kiln);
    const during = await requireAccepting(kiln, 4);
    await sleep(ms);
    await back(kiln);
    const since = Date.now();
    await kiln.ended(before);
    return recovery(kiln, during, since, 'first attempt');
  },
});

/** Without PostgreSQL, a submission is refused with 503 and a time to come back, and never accepted. */
async function requireRefusing(kiln: FaultKiln): Promise<void> {
  const answer = await kiln.api(1).pai('POST', '/api/v1/imagebuilds', { body: kiln.request() });
  if (answer.status !== 503 || !answer.headers.get('retry-after'))
    throw new Error(`without PostgreSQL a submission was answered ${answer.status}: ${answer.text}`);
}

const withPostgresAway = (
  name: string,
  ms: number,
  away: (kiln: FaultKiln) => Promise<void>,
  back: (kiln: FaultKiln) => Promise<void>,
  { short = false, aim = 'server' }: { short?: boolean; aim?: Aim } = {},
): Scenario => ({
  name,
  aim,
  short,
  async run(kiln) {
    const ids = [
      await kiln.submit(kiln.request({ seconds: 4 })),
      await kiln.submit(kiln.request({ seconds: 1 })),
      await kiln.submit(kiln.request({ seconds: 1 })),
    ];
    await kiln.stepRuns(ids[0] ?? '');
    await away(kiln);
    await requireRefusing(kiln);
    await sleep(ms);
    await back(kiln);
    const since = Date.now();
    // Whoever submits now is served.
    const after = await kiln.submit(kiln.request({ seconds: 0 }));
    // And what was interrupted goes on.
    const times = [
      await recovery(kiln, [after], since, 'first attempt'),
      await recovery(kiln, ids, since, 'next attempt'),
    ];
    return Math.max(...times.map((it) => it ?? 0));
  },
});

const killPostgres = (kiln: FaultKiln) => kiln.postgres.kill();
const startPostgres = (kiln: FaultKiln) => kiln.postgres.start();

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
  withRedisAway(
    'Redis killed and started again at once',
    0,
    (kiln) => kiln.redis.kill(),
    (kiln) => kiln.redis.start(),
    { short: true },
  ),
  withRedisAway(
    'Redis away for 30 s',
    30_000,
    (kiln) => kiln.redis.kill(),
    (kiln) => kiln.redis.start(),
  ),
  withRedisAway(
    'Redis black-holed for 30 s',
    30_000,
    (kiln) => Promise.resolve(setAll(kiln, 'redis', 'black-hole')),
    (kiln) => Promise.resolve(setAll(kiln, 'redis', 'pass')),
    { aim: 'silence' },
  ),
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
  withPostgresAway('PostgreSQL killed (kill -9) and started again at once', 0, killPostgres, startPostgres, {
    short: true,
  }),
  withPostgresAway('PostgreSQL away for 30 s', 30_000, killPostgres, startPostgres),
  withPostgresAway(
    'PostgreSQL black-holed for 30 s',
    30_000,
    (kiln) => Promise.resolve(setAll(kiln, 'postgres', 'black-hole')),
    (kiln) => Promise.resolve(setAll(kiln, 'postgres', 'pass')),
    { aim: 'silence' },
  ),
  {
    name: 'PostgreSQL with no connection left for 10 s',
    aim: 'server',
    short: false,
    async run(kiln) {
      const id = await kiln.submit(kiln.request({ seconds: 2 }));
      await kiln.stepRuns(id);
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
