import { createHash } from 'node:crypto';
import { mkdirSync, rmdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { eventually, testStack } from '@kiln/kit/testing';
import { type FaultKiln, openFaultKiln } from './fault-kiln.ts';
import { judge } from './oracle.ts';
import { aimSeconds } from './scenario.ts';
import { complaints, runTrial, scenarios } from './trial.ts';

let kiln: FaultKiln;
beforeAll(async () => {
  kiln = await openFaultKiln(join(testStack().dir, 'faults'), 1 / 2);
});
afterAll(() => kiln.stop());

// What is measured is in docs/reliability.md; here, on a machine that does other things besides, only that it is no
// other matter.
const slackSeconds = 20;

describe('nothing is lost, doubled or left over after', () => {
  it.each(scenarios.filter((it) => it.short).map((it, n) => [it.name, it, n] as const))(
    '%s',
    async (_, scenario, n) => {
      const trial = await runTrial(kiln, scenario, 1000 + n);
      expect(complaints(trial)).toEqual([]);
      const aim = aimSeconds(scenario.aim, kiln.timeScale);
      if (aim !== undefined) expect((trial.recoveryMs ?? Infinity) / 1000).toBeLessThan(aim + slackSeconds);
    },
    240_000,
  );
});

describe('the oracle', () => {
  const published = async (): Promise<string> => {
    const id = await kiln.submit(kiln.request({ seconds: 0 }));
    await kiln.ended([id]);
    return id;
  };
  it.each([
    ['a build that is not there', `SELECT 1`, 'lost'],
    ['a build that has not ended', `ALTER TABLE builds DISABLE TRIGGER USER; UPDATE builds SET state = 'running' WHERE id = '$id'`, 'lost'],
    ['a second end', `INSERT INTO build_events (build_id, state, attempt, message) VALUES ('$id', 'failed', 1, '')`, 'doubled'],
    ['a missing catalogue entry', `DELETE FROM images WHERE build_id = '$id'`, 'doubled'],
    ['a missing tag move', `DELETE FROM tag_moves WHERE build_id = '$id'`, 'doubled'],
    ['an attempt left open', `UPDATE build_attempts SET ended_at = NULL WHERE build_id = '$id'`, 'doubled'],
    ['a gap in a log', `UPDATE build_log_chunks SET seq = seq + 1000 WHERE build_id = '$id'`, 'doubled'],
    ['a digest that the registry does not hold', `UPDATE builds SET digest = 'sha256:' || repeat('0', 64) WHERE id = '$id'`, 'doubled'],
    ['a tag that points elsewhere', `UPDATE tag_moves SET digest = 'sha256:' || repeat('0', 64) WHERE build_id = '$id'`, 'doubled'],
  ] as const)('notices %s', async (what, statement, kind) => {
    const id = await published();
    expect(await judge(kiln, [id])).toEqual({ lost: [], doubled: [], leftovers: [] });
    await kiln.sql('BEGIN');
    try {
      await kiln.sql(statement.replace('$id', id));
      const verdict = await judge(kiln, [what === 'a build that is not there' ? 'build-nowhere' : id]);
      expect(verdict[kind].length).toBeGreaterThan(0);
    } finally {
      await kiln.sql('ROLLBACK');
    }
  });

  it('notices what is left on the host', async () => {
    const store = createHash('sha256').update(join(kiln.builderDirs()[0] ?? '', 'store')).digest('hex');
    const group = `/sys/fs/cgroup/pids/kiln/${store.slice(0, 12)}/999/build-left`;
    mkdirSync(group, { recursive: true });
    expect((await judge(kiln, [])).leftovers).toEqual([`cgroup ${group}`]);
    // The kernel keeps a group for a moment whose last one below it went.
    const remove = (path: string) => {
      try {
        rmdirSync(path);
        return true;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EBUSY') throw error;
        return undefined;
      }
    };
    for (const it of [group, dirname(group)]) await eventually(() => remove(it), `${it} to be let go of`);
  });
}); // prettier-ignore
