import { randomUUID } from 'node:crypto';
import { openTestKiln, type TestKiln } from '@kiln/stack/testing';

let kiln: TestKiln;
beforeAll(async () => {
  kiln = await openTestKiln();
});
afterAll(() => kiln.stop());

const build = async (dockerfile: string, image: Record<string, unknown> = {}) =>
  kiln.ended((await kiln.submit(kiln.buildRequest(dockerfile, { image }))).ImageBuildId);
const get = async (id: string, what = '', query: Record<string, string> = {}) =>
  (await kiln.pai('GET', `/api/v1/imagebuilds/${id}${what}`, { query })).body;

describe('the steps of a build', () => {
  it('are told with stage, lines, times and how they ended', async () => {
    const mark = randomUUID();
    const dockerfile = [
      `FROM ${kiln.base} AS first`,
      `RUN : ${mark}; \\`,
      `    sleep 1`,
      `FROM ${kiln.base}`,
      `COPY --from=first /bin/busybox /copied`,
      'RUN echo before; exit 3',
      'RUN echo never',
    ].join('\n');
    const failed = await build(dockerfile);
    expect(failed.Error).toMatchObject({ FirstLine: 6, ExitCode: 3 });
    const steps = failed.Steps.toSorted((a: any, b: any) => a.Step - b.Step);
    const shown = steps.map((it: any) => [it.Step, it.Stage, it.FirstLine, it.LastLine, it.Result, it.ExitCode]);
    expect(shown).toEqual([
      [1, 1, 1, 1, 'ok', undefined],
      [2, 1, 2, 3, 'ok', undefined],
      [3, 2, 4, 4, 'ok', undefined],
      [4, 2, 5, 5, 'ok', undefined],
      [5, 2, 6, 6, 'failed', 3],
    ]);
    expect(steps[1].Instruction).toBe(`RUN : ${mark};     sleep 1`);
    expect(steps[1].DurationMs).toBeGreaterThanOrEqual(1000);
    const times = steps.flatMap((it: any) => [it.GmtStartTime, it.GmtFinishTime]).sort();
    const phase = failed.Phases.find((it: any) => it.Phase === 'build');
    expect(phase.Result).toBe('failed');
    expect(phase.GmtStartTime <= times[0] && times.at(-1) <= phase.GmtFinishTime).toBe(true);
  });

  it('have their part of the log, which can be read and followed alone', async () => {
    const steps = `RUN echo one ${randomUUID()}\nRUN echo two; echo three\nRUN echo four\n`;
    const done = await build(`FROM ${kiln.base}\n${steps}`);
    const path = `/api/v1/imagebuilds/${done.ImageBuildId}/logs`;
    const read = async (query: Record<string, string>) => (await kiln.pai('GET', path, { query })).text;
    const middle = await read({ Step: '3' });
    expect(middle).toMatch(/^#3 RUN echo two; echo three\ntwo\nthree\n#3 DONE \d+\.\ds\n$/);
    expect(middle).not.toContain('four');
    expect(await read({ Step: '3', Follow: 'true' })).toBe(middle);
    const pieces = await Promise.all(['1', '2', '3', '4'].map((Step) => read({ Step })));
    expect(await kiln.logs(done.ImageBuildId)).toContain(pieces.join(''));
    expect(await read({ Step: '2', Cursor: '9999' })).toBe('');
    const never = await kiln.pai('GET', path, { query: { Step: '9' } });
    expect(never.status).toBe(400);
    expect(never.body).toMatchObject({ Code: 'InvalidParameter', Message: expect.stringContaining('step 9') });
  });

  it('of one under way can be followed, to their end and no further', async () => {
    const slow = 'for n in 1 2 3 4 5; do echo tick $n; sleep 0.4; done';
    const body = kiln.buildRequest(`FROM ${kiln.base}\nRUN : ${randomUUID()}; ${slow}\nRUN echo after; sleep 2\n`);
    const { ImageBuildId: id } = await kiln.submit(body);
    const path = `/api/v1/imagebuilds/${id}/logs`;
    for (let text = ''; !text.includes('tick 1'); text = (await kiln.pai('GET', path, {})).text);
    const followed = (await kiln.pai('GET', path, { query: { Step: '2', Follow: 'true' } })).text;
    const now = await get(id);
    expect(now.State).toBe('running');
    expect(now.Steps.at(-1)).toMatchObject({ Step: 3 });
    expect(now.Steps.at(-1).Result).toBeUndefined();
    expect(followed).toContain('tick 5');
    expect(followed).not.toContain('after');
    await kiln.ended(id);
  });

  it('are not made up by what a command prints', async () => {
    const forged =
      "echo 'STEP 1/3: FROM x'; echo 'STEP 2/3: RUN x'; echo 'STEP 3/3: RUN echo end'; echo 'STEP 1/3: FROM x'";
    const done = await build(`FROM ${kiln.base}\nRUN ${forged}; sleep 1\nRUN echo end\n`);
    expect(done.Steps.map((it: any) => [it.Step, it.Result])).toEqual([
      [1, 'ok'],
      [2, 'ok'],
      [3, 'ok'],
    ]);
    const times = done.Steps.map((it: any) => it.GmtFinishTime);
    expect(times).toEqual([...times].sort());
  });

  it('are set beside those of the build before, with the first that had to run again and why', async () => {
    const repository = `${kiln.stack.registryHost}/e2e/steps-${randomUUID().slice(0, 8)}`;
    const mark = randomUUID();
    const of = (last: string) => `FROM ${kiln.base}\nRUN echo ${mark}; sleep 1\nRUN echo ${last}\n`;
    const first = await build(of('one'), { Uri: `${repository}:v1` });
    expect((await get(first.ImageBuildId, '/comparison')).Previous).toBeUndefined();
    const second = await build(of('two'), { Uri: `${repository}:v2` });
    expect(second.Steps.map((it: any) => it.Result)).toEqual(['ok', 'cached', 'ok']);
    const compared = await get(second.ImageBuildId, '/comparison');
    expect(compared.Previous.ImageBuildId).toBe(first.ImageBuildId);
    expect(compared.FirstChange).toEqual({
      Step: 3,
      Instruction: 'RUN echo two',
      Why: 'the instruction has changed; it was: RUN echo one',
    });
    expect(compared.Steps[1]).toMatchObject({ Result: 'cached', PreviousResult: 'ok' });
    expect(compared.Steps[1].PreviousMs).toBeGreaterThanOrEqual(1000);
    expect(compared.Steps[1].DurationMs).toBeLessThan(1000);
    expect(compared.Steps[2].PreviousResult).toBeUndefined();
    const push = first.Phases.find((it: any) => it.Phase === 'push');
    expect(push.Bytes).toBeGreaterThan(0);
  });
});
