import { memoryMiB } from '@kiln/stack';
import { openTestKiln, type TestKiln } from '@kiln/stack/testing';

let kiln: TestKiln;
beforeAll(async () => {
  kiln = await openTestKiln();
});
afterAll(() => kiln.stop());

it('a log of 100 MB keeps every process’s memory flat, head and tail of it are kept, and the cut is marked', async () => {
  const pids = kiln.pids();
  const run = async (dockerfile: string, watch: boolean) => {
    const peak: Record<string, number> = {};
    const look = () => {
      for (const [name, pid] of Object.entries(pids)) peak[name] = Math.max(peak[name] ?? 0, memoryMiB(pid));
    };
    const timer = setInterval(look, 100);
    const { ImageBuildId: id } = await kiln.submit(kiln.buildRequest(dockerfile));
    const path = `/api/v1/imagebuilds/${id}/logs`;
    let followed = 0;
    const reader = async () => {
      const answer = await fetch(`${kiln.url}${path}?Follow=true`, {
        headers: { authorization: `Bearer ${kiln.account.token}` },
      });
      for await (const chunk of answer.body ?? []) followed += (chunk as Uint8Array).length;
    };
    const [build] = await Promise.all([kiln.ended(id), ...(watch ? [reader(), reader()] : [])]);
    clearInterval(timer);
    return { id, peak, followed, state: build.State as string };
  };
  const line = 'x'.repeat(199);
  // Once, so that everything is loaded.
  const small = await run(`FROM ${kiln.base}\nRUN yes ${line} | head -n 5000; : ${Math.random()}\n`, true);
  const big = await run(
    `FROM ${kiln.base}\nRUN echo first; yes ${line} | head -n 500000; echo last; : ${Math.random()}\n`,
    true,
  );
  expect([small.state, big.state]).toEqual(['succeeded', 'succeeded']);
  const grown = Object.fromEntries(
    Object.entries(big.peak).map(([name, peak]) => [name, Math.round(peak - (small.peak[name] ?? 0))]),
  );
  for (const it of Object.values(grown)) expect(it).toBeLessThan(200);
  // 64 MiB of the head and one of the tail, to both readers.
  expect(big.followed / 2 ** 20).toBeGreaterThan(2 * 64);
  expect(big.followed / 2 ** 20).toBeLessThan(2 * 67);
  const { rows } = await kiln.database.db.$client.query(
    // Of the whole text; a chunk ends where a line ends, without its newline.
    `SELECT attempts, octet_length(text) / 1048576.0 < 66 AS bounded, text LIKE '%\nfirst\n%' AS head,
       text LIKE '%[the log is cut here%' AS cut, text ~ '\\[\\d+ lines are left out here\\]' AS left_out,
       text LIKE '%\nlast\n%' AS tail
     FROM (SELECT string_agg(text, E'\\n' ORDER BY seq) AS text, count(DISTINCT attempt)::int AS attempts
       FROM build_log_chunks WHERE build_id = $1) AS log`,
    [big.id],
  );
  expect(rows).toEqual([{ attempts: 1, bounded: true, head: true, cut: true, left_out: true, tail: true }]);
}, 240_000);
