import { randomUUID } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { processesOfAttempt } from '@kiln/stack/testing';
import { holderOf, recovery, type Scenario, sleep } from '../scenario.ts';

const run = promisify(execFile);

const sameToken = (times: number): Scenario => ({
  name: `${times} submissions at once with one token, and some with another body`,
  aim: 'none',
  short: false,
  async run(kiln) {
    const token = randomUUID();
    const [body, other] = [kiln.request({ seconds: 0 }), kiln.request({ seconds: 0 })];
    const tally: Record<string, number> = {};
    const ids = new Set<string>();
    let left = times;
    const client = async () => {
      while (left > 0) {
        left -= 1;
        const odd = left % 10 === 3;
        const answer = await kiln
          .api(left % 2 === 0 ? 1 : 2)
          .pai('POST', '/api/v1/imagebuilds', { body: odd ? other : body, query: { ClientToken: token } });
        const { Code: code, ImageBuildId: id } = answer.body as { Code?: string; ImageBuildId?: string };
        const key = `${odd ? 'other' : 'same'} ${answer.status} ${code ?? ''}`;
        tally[key] = (tally[key] ?? 0) + 1;
        if (id !== undefined) ids.add(id);
      }
    };
    await Promise.all(Array.from({ length: Math.min(times, 100) }, client));
    const wanted = Object.keys(tally).every((it) => /^(same 200 |other 400 IdempotentParameterMismatch)$/.test(it));
    const mirrored = Object.keys(tally).every((it) => /^(other 200 |same 400 IdempotentParameterMismatch)$/.test(it));
    if (ids.size !== 1 || (!wanted && !mirrored))
      throw new Error(`${ids.size} builds; answers: ${JSON.stringify(tally)}`);
    ids.forEach((it) => kiln.accepted.add(it));
    await kiln.ended(ids);
    return undefined;
  },
});

const cancels = (name: string, short: boolean, redisAway: boolean): Scenario => ({
  name,
  aim: 'none',
  short,
  ends: ['succeeded', 'cancelled'],
  async run(kiln, random) {
    const [id, neighbour] = await Promise.all([
      kiln.submit(kiln.request({ seconds: 20 })),
      kiln.submit(kiln.request({ seconds: 3 })),
    ]);
    await kiln.stepRuns(id);
    await sleep(random.int(0, 1000));
    if (processesOfAttempt(id, 1).length === 0) throw new Error('the processes of the build are not to be seen');
    if (redisAway) for (const it of kiln.fleet.members) it.links.redis.set('black-hole');
    const asked = Date.now();
    const answer = await kiln.api(1).pai('POST', `/api/v1/imagebuilds/${id}/cancel`);
    const acknowledged = Date.now() - asked;
    if (answer.status !== 200) throw new Error(`a cancel was answered ${answer.status}: ${answer.text}`);
    if (acknowledged > 2000) throw new Error(`a cancel was acknowledged after ${acknowledged} ms`);
    while (processesOfAttempt(id, 1).length > 0) {
      if (Date.now() - asked > 5000) throw new Error('5 s after a cancel its processes still run');
      await sleep(50);
    }
    for (const it of kiln.fleet.members) it.links.redis.set('pass');
    await kiln.ended([id, neighbour]);
    const rows = await kiln.sql<{ id: string; state: string }>('SELECT id, state FROM builds WHERE id = ANY($1)', [
      [id, neighbour],
    ]);
    const stateOf = (wanted: string) => rows.find((it) => it.id === wanted)?.state;
    if (stateOf(id) !== 'cancelled') throw new Error(`the cancelled build is ${stateOf(id)}`);
    if (stateOf(neighbour) !== 'succeeded') throw new Error(`its neighbour is ${stateOf(neighbour)}`);
    return undefined;
  },
});

export const clients: Scenario[] = [
  sameToken(1000),
  sameToken(10_000),
  cancels('cancel of a build: processes gone in 5 s, its neighbour untouched', true, false),
  cancels('cancel while Redis is black-holed', false, true),
  {
    name: 'kill -9 of a builder whose step prints 20 lines a second: at most the last second is lost',
    aim: 'process',
    short: true,
    async run(kiln) {
      const step = 'n=0; while [ $n -lt 60 ]; do echo line $n; n=$((n+1)); sleep 0.05; done';
      const id = await kiln.submit(kiln.request({ step }));
      await kiln.stepRuns(id);
      await sleep(1200);
      const { at } = await kiln.fleet.kill(await holderOf(kiln, id));
      const ms = await recovery(kiln, [id], at, 'next attempt');
      const [row] = await kiln.sql<{ last: string }>(
        `SELECT max(t) AS last FROM build_log_chunks, unnest(line_times) t WHERE build_id = $1 AND attempt = 1`,
        [id],
      );
      const lostMs = at - Number(row?.last);
      // One second, the pause between two lines, and the time that the write takes on two cores that are busy with others.
      if (lostMs > 4000) throw new Error(`the last ${lostMs} ms of the log are lost`);
      return ms;
    },
  },
  {
    name: 'disk of one builder full: its builds go on with the other',
    aim: 'none',
    short: false,
    async run(kiln) {
      const small = join(kiln.dir, 'small-disk');
      await mkdir(small, { recursive: true });
      await run('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', small]);
      try {
        await kiln.fleet.replace('builder-1', { KILN_BUILDER_DIR: small });
        const step = 'dd if=/dev/zero of=/big bs=1M count=40';
        const ids = await Promise.all([1, 2, 3].map(() => kiln.submit(kiln.request({ step }))));
        await kiln.ended(ids, 240_000);
        const rows = await kiln.sql(`SELECT state, error->>'code' AS code FROM builds WHERE id = ANY($1)`, [ids]);
        if (rows.some((it) => it['state'] !== 'succeeded')) throw new Error(`ended as ${JSON.stringify(rows)}`);
      } finally {
        await kiln.fleet.replace('builder-1');
        await run('umount', ['--lazy', small]);
      }
      return undefined;
    },
  },
];
