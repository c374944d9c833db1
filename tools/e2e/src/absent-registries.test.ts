import { eventually, testStack } from '@kiln/kit/testing';
import { openRegistryFront, openTestKiln, type RegistryFront, type TestKiln } from '@kiln/stack/testing';

// What becomes of images whose registry is not there, is closed, or says nothing.
let kiln: TestKiln;
let front: RegistryFront;
let images: string;
beforeAll(async () => {
  const clock = { KILN_REGISTRATION_CLOCK_S: '8', KILN_REGISTER_WAIT_MS: '500', KILN_TIME_SCALE: '0.3' };
  const [, port] = testStack().registryHost.split(':');
  front = await openRegistryFront(Number(port));
  kiln = await openTestKiln({ apps: ['registrar'], env: { ...clock, KILN_OPEN_ADDRESSES: front.host } });
  await kiln.trustPlainHttp(front.host);
  images = `/v1/${kiln.account.projectId}/images`;
});
afterAll(async () => {
  await kiln.stop();
  await front.close();
});
const total = async () => (await kiln.modelarts('GET', images)).body.total as number;
const register = (swr_path: string) => kiln.modelarts('POST', images, { body: { swr_path } });
const add = (Name: string, ImageUri: string) => kiln.pai('POST', '/api/v1/images', { body: { Name, ImageUri } });

it.each([
  ['does not resolve', 'registry.no-such-domain.invalid', 'the registry host registry.no-such-domain.invalid does not resolve', 'InvalidParameter', 400, 'ModelArts.0104'],
  ['does not resolve, with a port', 'no-such-host.invalid:5000', 'the registry host no-such-host.invalid does not resolve', 'InvalidParameter', 400, 'ModelArts.0104'],
  ['is closed', '10.1.2.3:5000', '10.1.2.3 is an address that Kiln does not connect to', 'AddressNotAllowed', 403, 'ModelArts.2885'],
  ['is closed, in IPv6', '[fd00::1]:5000', 'fd00::1 is an address that Kiln does not connect to', 'AddressNotAllowed', 403, 'ModelArts.2885'],
  ['leads to a closed address', 'localhost:5999', 'localhost resolves to', 'AddressNotAllowed', 403, 'ModelArts.2885'],
])('a host that %s is an error at once, and leaves no entry', async (_what, host, why, code, status, modelArtsCode) => {
  const before = await total();
  expect(await register(`${host}/team/image:v1`)).toMatchObject({
    status: 400,
    body: { error_code: modelArtsCode, error_msg: expect.stringContaining(`swr_path: ${why}`) as string },
  });
  expect(await add('never', `${host}/team/image:v1`)).toMatchObject({
    status,
    body: { Code: code, Message: expect.stringContaining(`ImageUri: ${why}`) as string },
  });
  expect(await total()).toBe(before);
}); // prettier-ignore

it('many such hosts at once are errors, every one of them', async () => {
  const names = Array.from({ length: 8 }, (_, n) => `no-such-${n}.invalid/team/image:v1`);
  const answers = await Promise.all(names.map(register));
  expect(answers.map((it) => it.status)).toEqual(names.map(() => 400));
});

it.each([
  ['says nothing', { kind: 'silent' } as const, /has not answered in full yet/, /did not answer in time/],
  ['answers 503', { kind: 'status', status: 503 } as const, /answers 503/, /answers 503/],
])(
  'one that %s is tried for a while, says why in both dialects, and then lets go of the name',
  async (_what, mood, meanwhile, atLast) => {
    front.set(mood);
    const path = `${front.host}/kiln/busybox:base`;
    const answer = await register(path);
    expect(answer.status).toBe(201);
    const added = await add('waits', path);
    expect(added.status).toBe(200);
    const shown = async () => {
      const { body: here } = await kiln.modelarts('GET', `${images}/${answer.body.id}`);
      const { body: there } = await kiln.pai('GET', `/api/v1/images/${added.body.ImageId}`);
      return { status: here.status, why: here.status_message, Status: there.Status, Why: there.StatusMessage };
    };
    const waiting = await eventually(async () => {
      const it = await shown();
      return it.why && it.Why ? it : undefined;
    }, 'the reason');
    expect(waiting).toMatchObject({ status: 'CREATING', Status: 'CREATING' });
    expect(waiting.why).toMatch(meanwhile);
    expect(waiting.Why).toMatch(meanwhile);
    const before = await register(path);
    expect(before.body.error_code).toBe('ModelArts.6737');
    const given = await eventually(
      async () => {
        const it = await shown();
        return it.status === 'CREATING' || it.Status === 'CREATING' ? undefined : it;
      },
      'the end of the tries',
      100_000,
    );
    expect(given).toMatchObject({ status: 'CREATE_FAILED', Status: 'CREATE_FAILED' });
    for (const it of [given.why, given.Why]) {
      expect(it).toMatch(atLast);
      expect(it).toContain('given up after 8 s');
    }
    front.set({ kind: 'well' });
    const mended = (await register(path)).body;
    await eventually(
      async () => (await kiln.modelarts('GET', `${images}/${mended.id}`)).body.status === 'ACTIVE' || undefined,
      'the image of a registry that is well again',
    );
    expect((await add('waits', path)).status).toBe(200);
    // For the case after this one.
    for (const it of (await kiln.modelarts('GET', images)).body.data as { id: string }[])
      await kiln.modelarts('DELETE', `${images}/${it.id}`);
  },
  200_000,
);
