import { sweepTallies } from '@kiln/persistence';
import { provisionAccount } from '@kiln/stack';
import type { BenchStack } from './bench-stack.ts';
import { ms, quantile, timed } from './measure.ts';
import { seedLists, seeded } from './seed-lists.ts';

interface Case {
  what: string;
  path: string;
  query?: Record<string, string>;
  /** How many the answer must say there are, where it says so. */
  total?: number;
}

const rounds = 60;
const coldRounds = 5;

/** Every list call and filter, at its start and at page 1,000 where the dialect has one. */
function cases({ account, registryHost }: BenchStack): Case[] {
  const { workspaceId: WorkspaceId, projectId } = account;
  const images = '/api/v1/images';
  const modelArts = `/v1/${projectId}/images`;
  const jobs = '/api/v1/jobs';
  const since = new Date(Date.now() - 30 * 86_400_000).toISOString();
  const deep = { PageNumber: '1000' };
  const pai = (what: string, query: Record<string, string>, total: number): Case[] => [
    { what: `ListImages ${what}`, path: images, query: { WorkspaceId, ...query }, total },
    ...(total >= seeded / 10
      ? [{ what: `ListImages ${what}, page 1000`, path: images, query: { WorkspaceId, ...query, ...deep }, total }]
      : []),
  ];
  return [
    ...pai('', {}, seeded),
    ...pai('newest first', { SortBy: 'GmtCreateTime', Order: 'DESC', Verbose: 'true' }, seeded),
    ...pai('Accessibility', { Accessibility: 'PUBLIC' }, seeded / 4),
    ...pai('Name, few', { Name: '-12345' }, 11),
    ...pai('Name, a fifth', { Name: 'torch' }, seeded / 5),
    ...pai('Name, all', { Name: 'train' }, seeded),
    ...pai('Query', { Query: 'jax' }, seeded / 5),
    ...pai('ImageUri', { ImageUri: `${registryHost}/ml/repo-7:v3` }, 1),
    ...pai('Labels, few', { Labels: 'team=team-7' }, seeded / 1000),
    ...pai('Labels, half', { Labels: 'system.chipType=GPU' }, seeded / 2),
    ...pai('Labels, any value', { Labels: 'team=*' }, seeded),
    { what: 'ListImages of all workspaces', path: images, total: seeded / 4 },
    { what: 'ListImages of all workspaces, page 1000', path: images, query: deep, total: seeded / 4 },
    { what: 'ListImageLabels', path: '/api/v1/image/labels', query: { WorkspaceId }, total: 1002 },
    { what: 'ListImageLabels LabelKeys', path: '/api/v1/image/labels', query: { LabelKeys: 'system.chipType' }, total: 2 },
    { what: 'ListImage', path: modelArts, query: { limit: '20' }, total: seeded },
    { what: 'ListImage, page 1000', path: modelArts, query: { limit: '20', offset: '19980' }, total: seeded },
    { what: 'ListImage, 200 a page (the default)', path: modelArts, total: seeded },
    { what: 'ListImage name', path: modelArts, query: { limit: '20', name: 'repo-77' }, total: (seeded / 5000) * 11 },
    { what: 'ListImage name, page 1000', path: modelArts, query: { limit: '20', name: 'repo', offset: '19980' }, total: seeded },
    { what: 'ListImage name, exact', path: modelArts, query: { limit: '20', name: 'repo-77', name_fuzzy_match: 'false' }, total: seeded / 5000 },
    { what: 'ListImage namespace', path: modelArts, query: { limit: '20', namespace: 'ml' }, total: seeded },
    { what: 'ListImage service_type', path: modelArts, query: { limit: '20', service_type: 'DEV' }, total: seeded / 4 },
    { what: 'ListImage show_tag', path: modelArts, query: { limit: '20', show_tag: 'v3' }, total: 5000 },
    { what: 'ListImage by name and size', path: modelArts, query: { limit: '20', sort_key: 'name,size' }, total: seeded },
    { what: 'ListImage by name and size, page 1000', path: modelArts, query: { limit: '20', sort_key: 'name,size', offset: '19980' }, total: seeded },
    { what: 'ListImage by update', path: modelArts, query: { limit: '20', sort_key: 'update_at' }, total: seeded },
    { what: 'ListImageGroup', path: `${modelArts}/group`, query: { limit: '20' }, total: 5000 },
    { what: 'ListImageGroup, last page', path: `${modelArts}/group`, query: { limit: '20', offset: '4980' }, total: 5000 },
    { what: 'ListImageGroup name', path: `${modelArts}/group`, query: { limit: '20', name: 'repo-77' }, total: 11 },
    { what: 'ListJobs (seven days)', path: jobs },
    { what: 'ListJobs of a month', path: jobs, query: { StartTime: since } },
    { what: 'ListJobs of a month, page 1000', path: jobs, query: { StartTime: since, ...deep } },
    { what: 'ListJobs of all time', path: jobs, query: { WorkspaceId, StartTime: '2020-01-01T00:00:00Z' }, total: seeded },
    { what: 'ListJobs Status', path: jobs, query: { StartTime: '2020-01-01T00:00:00Z', Status: 'Failed' }, total: seeded / 10 },
    { what: 'ListJobs Status, page 1000', path: jobs, query: { StartTime: '2020-01-01T00:00:00Z', Status: 'Failed', ...deep }, total: seeded / 10 },
    { what: 'ListJobs Status, few', path: jobs, query: { StartTime: '2020-01-01T00:00:00Z', Status: 'Stopped' }, total: 200 },
    { what: 'ListJobs DisplayName', path: jobs, query: { StartTime: '2020-01-01T00:00:00Z', DisplayName: '-12345' }, total: 11 },
    { what: 'ListJobs DisplayName, a third, page 1000', path: jobs, query: { StartTime: '2020-01-01T00:00:00Z', DisplayName: 'night', ...deep }, total: Math.floor(seeded / 3) },
    { what: 'ListJobs JobIds', path: jobs, query: { JobIds: 'dlc-000000000000000007,dlc-000000000000000009' }, total: 2 },
    { what: 'ListJobs ShowOwn', path: jobs, query: { StartTime: '2020-01-01T00:00:00Z', ShowOwn: 'true' }, total: seeded },
    { what: 'ListJobs Accessibility', path: jobs, query: { StartTime: '2020-01-01T00:00:00Z', Accessibility: 'PUBLIC' }, total: seeded / 4 },
    { what: 'ListJobs by DisplayName', path: jobs, query: { StartTime: '2020-01-01T00:00:00Z', SortBy: 'DisplayName' }, total: seeded },
    { what: 'ListImageBuilds', path: '/api/v1/imagebuilds' },
    { what: 'ListImageBuilds State, few', path: '/api/v1/imagebuilds', query: { State: 'cancelled' } },
    { what: 'ListImageBuilds Name', path: '/api/v1/imagebuilds', query: { Name: '-12345' } },
    { what: 'ListImageBuilds ImageUri', path: '/api/v1/imagebuilds', query: { ImageUri: `${registryHost}/ml/repo-7:b7` } },
    { what: 'ListImageBuilds Since', path: '/api/v1/imagebuilds', query: { Since: since, Limit: '100' } },
  ]; // prettier-ignore
}

/**
 * Latency of every list call with 200,000 images and 200,000 builds in one account, one request at a time, the client
 * on the same cores: while nothing changes, and for the first request after a change. Every total is held against what
 * was put in.
 */
export async function benchLists(bench: BenchStack): Promise<void> {
  // An account of its own, so that what was measured before does not count.
  const { database, sealingKey, registryHost } = bench;
  const stack = { ...bench, account: await provisionAccount(database.db, sealingKey, 'lists', registryHost) };
  console.log(`\nseeding ${seeded} images and ${seeded} builds took ${ms(await timed(() => seedLists(stack)))}`);
  await sweepTallies(stack.database.db);
  await stack.database.db.$client.query('VACUUM ANALYZE tallies');
  const headers = { authorization: `Bearer ${stack.account.token}` };
  const wide = Math.max(...cases(stack).map((it) => it.what.length));
  console.log(`\n(f) ${'list'.padEnd(wide)}   total      p50      p95      first after a change`);
  for (const it of cases(stack)) {
    const query = new URLSearchParams(it.query).toString();
    const url = `${stack.url}${it.path}${query ? `?${query}` : ''}`;
    let total: number | undefined;
    const ask = () =>
      timed(async () => {
        const answer = await fetch(url, { headers });
        const body = (await answer.json()) as { TotalCount?: number; total?: number };
        if (!answer.ok) throw new Error(`${it.what}: ${JSON.stringify(body)}`);
        total = body.TotalCount ?? body.total;
      });
    const cold: number[] = [];
    for (let round = 0; round < coldRounds; round += 1) {
      await touch(stack, round);
      cold.push(await ask());
    }
    const warm: number[] = [];
    for (let round = 0; round < rounds; round += 1) warm.push(await ask());
    if (it.total !== undefined && total !== it.total)
      throw new Error(`${it.what}: says ${String(total)}, but there are ${it.total}`);
    const cells = [quantile(warm, 0.5), quantile(warm, 0.95), quantile(cold, 0.5)].map((value) =>
      ms(value).padStart(8),
    );
    console.log(`    ${it.what.padEnd(wide)} ${String(total ?? '').padStart(8)} ${cells.join(' ')}`);
  }
}

/** Changes one image and one build, so that every remembered answer is out of date. */
async function touch({ database }: BenchStack, n: number): Promise<void> {
  const run = (text: string) => database.db.$client.query(text);
  await run(
    `UPDATE images SET updated_at = updated_at - interval '1 ms' WHERE pai_id = 'image-${String(n + 1).padStart(18, '0')}'`,
  );
  const job = `dlc-${String(n + 1).padStart(18, '0')}`;
  await run(`UPDATE builds SET job_deleted_at = now() WHERE job_id = '${job}'`);
  await run(`UPDATE builds SET job_deleted_at = NULL WHERE job_id = '${job}'`);
}
