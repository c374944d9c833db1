import { readdirSync, readFileSync } from 'node:fs';
import { eventually } from '@kiln/kit/testing';
import { openTestKiln, type TestKiln } from '@kiln/stack/testing';

let kiln: TestKiln;
beforeAll(async () => {
  kiln = await openTestKiln({ apps: ['registrar'] });
});
afterAll(() => kiln.stop());

const processesWith = (text: string): string[] =>
  readdirSync('/proc').filter((it) => {
    try {
      return /^\d+$/.test(it) && readFileSync(`/proc/${it}/cmdline`, 'utf8').includes(text);
    } catch {
      return false;
    }
  });

it('builds again after its worker was killed, and leaves no process of the first attempt', async () => {
  const seconds = `97${Math.floor(Math.random() * 10_000)}`;
  const { ImageBuildId } = await kiln.submit(kiln.buildRequest(`FROM ${kiln.base}\nRUN echo begun; test -e /never || sleep ${seconds}\n`));
  const first = kiln.start('builder');
  await eventually(async () => ((await kiln.logs(ImageBuildId)).includes('begun\n') ? true : undefined), 'the step to run');
  first.signal('SIGKILL');
  await first.ended;
  // The kernel ends the build with the builder: nobody has to clean up first.
  await eventually(() => (processesWith(`sleep\0${seconds}`).length === 0 ? true : undefined), 'the processes to be gone', 20_000);

  // Its session in PostgreSQL is gone with it: nobody waits for its lease.
  await eventually(async () => ((await kiln.pai('GET', `/api/v1/imagebuilds/${ImageBuildId}`)).body.State === 'queued' ? true : undefined), 'the build to be handed back', 10_000);
  const second = kiln.start('builder');
  await eventually(async () => ((await kiln.pai('GET', `/api/v1/imagebuilds/${ImageBuildId}`)).body.Attempt === 2 ? true : undefined), 'the second attempt');
  await eventually(async () => ((await kiln.logs(ImageBuildId)).includes('begun\n') ? true : undefined), 'the step to run again');
  await kiln.pai('POST', `/api/v1/imagebuilds/${ImageBuildId}/cancel`);
  expect(await kiln.ended(ImageBuildId)).toMatchObject({ State: 'cancelled', Attempt: 2, Attempts: [{ Attempt: 1, Outcome: 'worker died' }, { Attempt: 2, Outcome: 'cancelled' }] });
  await second.stop();
}, 180_000); // prettier-ignore

it('hands a build back when its worker is asked to stop, without waiting for its lease', async () => {
  const { ImageBuildId } = await kiln.submit(
    kiln.buildRequest(`FROM ${kiln.base}\nRUN echo begun; test -e /never || sleep 600\n`),
  );
  const before = kiln.env['KILN_DRAIN_MS'];
  kiln.env['KILN_DRAIN_MS'] = '200';
  const worker = kiln.start('builder');
  kiln.env['KILN_DRAIN_MS'] = before ?? '10000';
  await eventually(
    async () => ((await kiln.logs(ImageBuildId)).includes('begun\n') ? true : undefined),
    'the step to run',
  );
  worker.signal('SIGTERM');
  await worker.ended;
  const { body } = await kiln.pai('GET', `/api/v1/imagebuilds/${ImageBuildId}`);
  expect(body).toMatchObject({ State: 'queued', Attempt: 1 });
  await kiln.pai('POST', `/api/v1/imagebuilds/${ImageBuildId}/cancel`);
});
