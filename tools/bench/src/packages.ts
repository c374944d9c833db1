import { provisionAccount } from '@kiln/stack';
import type { BenchStack } from './bench-stack.ts';
import { ms, quantile, timed } from './measure.ts';
import { withoutReading } from './seed-lists.ts';

const seededImages = 10_000;
const packagesOfEach = 500;
const rounds = 40;

/**
 * Fills an account with images that have been read: 300 packages of Debian that all of them have, 198 of 3,000 others, a
 * version of torch in half of them, and of Python in each.
 */
async function seedPackages({ database, account, registryHost }: BenchStack): Promise<void> {
  const run = (text: string, values: unknown[] = []) => database.db.$client.query(text, values);
  const { accountId, projectId, workspaceId, userId } = account;
  await withoutReading(database, async () => {
    await run(
      `INSERT INTO images (id, pai_id, account_id, project_id, workspace_id, user_id, name, host, repository, tag, visibility, arch,
         resource_categories, services, status, digest, via)
       SELECT gen_random_uuid(), 'image-p' || n, $1, $2, $3, $4, 'packages-' || n, $5, 'ml/packages-' || n, 'v1', 'PUBLIC', 'X86_64',
         '{CPU}', '{NOTEBOOK}', 'ACTIVE', 'sha256:p' || n, 'modelarts' FROM generate_series(1, $6::int) n`,
      [accountId, projectId, workspaceId, userId, registryHost, seededImages],
    );
  });
  await run(
    `INSERT INTO inspections (id, account_id, host, repository, reference, catalogued, arch, state, read_at)
     SELECT inspection_id, account_id, host, repository, digest, true, arch, 'done', now() FROM images WHERE account_id = $1`,
    [accountId],
  );
  // A statement may take half a minute at most.
  for (let from = 1; from <= seededImages; from += 500)
    await run(
      `WITH read AS (SELECT inspection_id AS id, split_part(name, '-', 2)::int AS n FROM images WHERE account_id = $1)
       INSERT INTO image_packages (inspection_id, account_id, type, name, version, name_key, version_key, layer)
       SELECT id, $1, 'deb', 'debian-' || p, '1.' || p, 'debian-' || p, ARRAY[1, p], 0
         FROM read, generate_series(1, 300) p WHERE n BETWEEN $2 AND $3
       UNION ALL SELECT id, $1, 'pypi', 'python-' || (n * 31 + p * 7) % 3000, '2.' || n % 20, 'python-' || (n * 31 + p * 7) % 3000,
         ARRAY[2, n % 20], 1 FROM read, generate_series(1, 198) p WHERE n BETWEEN $2 AND $3
       UNION ALL SELECT id, $1, 'pypi', 'torch', '2.' || n % 8, 'torch', ARRAY[2, n % 8], 1
         FROM read WHERE n BETWEEN $2 AND $3 AND n % 2 = 0
       UNION ALL SELECT id, $1, 'fact', 'python', '3.' || 8 + n % 6, 'python', ARRAY[3, 8 + n % 6], 0
         FROM read WHERE n BETWEEN $2 AND $3`,
      [accountId, from, from + 499],
    );
  await run('VACUUM ANALYZE images, inspections, image_packages');
}

/** Latency of searches over 10,000 images of 500 packages each, one request at a time, the client on the same cores. */
export async function benchPackages(bench: BenchStack): Promise<void> {
  const { database, sealingKey, registryHost } = bench;
  const stack = { ...bench, account: await provisionAccount(database.db, sealingKey, 'packages', registryHost) };
  const took = await timed(() => seedPackages(stack));
  console.log(`\nseeding ${seededImages} images of ${packagesOfEach} packages took ${ms(took)}`);
  const headers = { authorization: `Bearer ${stack.account.token}` };
  const queries = [
    'torch==2.5.1', 'torch<2.3', 'torch', 'torch<2.3, python=3.11', 'python=3.11', 'python-1234', 'python-1234>=2.10, torch',
    'debian-7, torch=2.4', 'debian-7',
  ]; // prettier-ignore
  console.log(`\n(s) ${'search'.padEnd(28)}   found      p50      p95`);
  for (const query of queries) {
    const url = `${stack.url}/api/v1/packages?${new URLSearchParams({ Query: query, Limit: '20' }).toString()}`;
    let found = 0;
    const taken: number[] = [];
    for (let round = 0; round < rounds; round += 1)
      taken.push(
        await timed(async () => {
          const answer = await fetch(url, { headers });
          const body = (await answer.json()) as { TotalCount: number };
          if (!answer.ok) throw new Error(`${query}: ${JSON.stringify(body)}`);
          found = body.TotalCount;
        }),
      );
    const cells = [0.5, 0.95].map((it) => ms(quantile(taken, it)).padStart(8));
    console.log(`    ${query.padEnd(28)} ${String(found).padStart(7)} ${cells.join(' ')}`);
  }
}
