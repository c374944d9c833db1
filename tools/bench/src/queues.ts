import { join } from 'node:path';
import { Secret } from '@kiln/kit';
import { migrateDatabase, openDatabase } from '@kiln/persistence';
import { type Managed, freePort, provisionAccount, startApi, startApp } from '@kiln/stack';
import { openSignedClient } from '@kiln/stack/client';
import type { BenchStack } from './bench-stack.ts';
import { kilnSide } from './build-sides.ts';
import { row, together, twoSteps } from './builds.ts';
import { inTurn, type Row } from './measure.ts';
import { compareRegistrations } from './registrations.ts';

/** Another Kiln on the same servers, with a database of its own in which its queues are, too. */
async function startPostgresKiln({ dir, databaseUrl, sealingKey, registryHost, database, env, tiny }: BenchStack) {
  await database.db.$client.query('CREATE DATABASE kiln_queues');
  const address = new URL(databaseUrl);
  address.pathname = 'kiln_queues';
  const own = openDatabase(new Secret(address.href), { connections: 2 });
  await migrateDatabase(own.db);
  const account = await provisionAccount(own.db, sealingKey, 'bench', registryHost);
  await own.close();
  const { KILN_REDIS_URL: _without, ...others } = env;
  const settings = {
    ...others,
    KILN_QUEUE: 'postgres',
    KILN_DATABASE_URL: address.href,
    KILN_BUILDER_DIR: join(dir, 'builder-queues'),
  };
  const { server, url } = await startApi(dir, settings, await freePort(), 'api-queues');
  const started: Managed[] = [server];
  for (const app of ['registrar', 'builder'] as const) {
    const worker = startApp(dir, app, settings, `${app}-queues`);
    started.push(worker);
    await worker.logged('"ready"');
  }
  return {
    url,
    registryHost,
    tiny,
    account,
    client: openSignedClient(url, account),
    async stop() {
      for (const it of started.reverse()) await it.stop();
    },
  };
}

/** Queues in PostgreSQL against queues in Redis, both on one machine. */
export async function benchQueues(stack: BenchStack, rounds: number): Promise<Row[]> {
  const other = await startPostgresKiln(stack);
  const two = () => twoSteps(stack.tiny);
  try {
    const sides = [kilnSide(other, other.account), kilnSide(stack, stack.account)] as const;
    const [one = [], oneRedis = []] = await inTurn(
      rounds,
      sides.map((it) => together(it, 1, two)),
    );
    const [many = [], manyRedis = []] = await inTurn(
      Math.min(rounds, 5),
      sides.map((it) => together(it, 20, two)),
    );
    return [
      row('queues in PostgreSQL: a build of two steps', one, 'in Redis', oneRedis, '≤ 1.05'),
      row('queues in PostgreSQL: 20 builds, four at once', many, 'in Redis', manyRedis, '≤ 1.05'),
      await compareRegistrations('queues in PostgreSQL: registrations, 8 at once', other, stack, '≥ 0.95'),
    ];
  } finally {
    await other.stop();
  }
}
