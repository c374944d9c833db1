import { randomUUID } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { appUrls, logTail, type Managed, root, startProcess } from '@kiln/stack';
import { type CarriedServers, carryServers, openTestKiln, type TestKiln } from '@kiln/stack/testing';
import { bundleOf } from './testing/bundle-of-pod.ts';
import { valuesOf } from './testing/combinations.ts';
import { render } from './testing/helm.ts';
import { type Container, podsOf } from './testing/pods.ts';

let kiln: TestKiln;
let servers: CarriedServers;
const pods: Managed[] = [];
const dir = mkdtempSync(join(tmpdir(), 'kiln-pod-'));
// Outside of what the pod may write: a mount below that would keep it from being shown.
const rootfs = mkdtempSync(join(tmpdir(), 'kiln-rootfs-'));
beforeAll(async () => {
  kiln = await openTestKiln({ apps: ['registrar'] });
  chmodSync(dir, 0o777);
  servers = await carryServers(dir, kiln);
});
afterAll(async () => {
  for (const it of pods) await it.stop();
  await servers.close();
  await kiln.stop();
  for (const it of [dir, rootfs]) rmSync(it, { recursive: true, force: true });
});

/** Starts the container of a pool's pod with runc, with the settings that the chart gives it but for this test's own. */
async function startPod(change: (security: Security) => void = () => undefined): Promise<Managed> {
  const objects = await render(valuesOf('builders in user namespaces'));
  const { spec } = podsOf(objects).find(({ spec }) => spec.hostUsers === false) ?? {};
  const container = spec?.containers[0];
  if (!spec || !container?.securityContext) throw new Error('the chart has no such pod');
  change(container.securityContext);
  const ofChart = (container.env ?? []).flatMap(({ name, value }) => (value === undefined ? [] : [[name, value]]));
  const name = `pod-${randomUUID().slice(0, 8)}`;
  const at = (file: string) => join(dir, name, file);
  for (const it of ['bundle', 'builder']) mkdirSync(at(it), { recursive: true });
  chmodSync(at('builder'), 0o777);
  const env = {
    PATH: process.env['PATH'] ?? '',
    ...(Object.fromEntries(ofChart) as Record<string, string>),
    ...kiln.env,
    ...appUrls(kiln.env, 'builder'),
    KILN_BUILDER_DIR: at('builder'),
    KILN_CONTEXT_DIR: join(at('builder'), 'contexts'),
  };
  const app = [process.execPath, join(root, 'apps/builder/dist/main.js')];
  const args = ['sh', '-c', 'ip link set lo up; exec "$@"', 'sh', ...servers.command, ...app];
  const bundle = bundleOf(spec, container, { rootfs, args, env, folders: [dir] });
  writeFileSync(at('bundle/config.json'), JSON.stringify(bundle));
  mkdirSync(join(dir, 'logs'), { recursive: true });
  const script = 'mount --bind / "$1" && shift && exec "$@"';
  const pod = startProcess(dir, name, [
    'setpriv', '--pdeathsig', 'KILL', 'unshare', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc',
    'sh', '-c', script, 'sh', rootfs, 'runc', '--root', at('runtime'), 'run', '--bundle', at('bundle'), name,
  ], { graceMs: 0 }); // prettier-ignore
  pods.push(pod);
  return pod;
}

it('a builder builds in the pod that the chart makes of the profile userNamespace, run by runc as a kubelet has it', async () => {
  const builder = await startPod();
  await builder.logged('"ready"').catch((error: unknown) => {
    throw new Error(logTail(builder), { cause: error });
  });
  const { ImageBuildId } = await kiln.submit(
    kiln.buildRequest(`FROM ${kiln.base}\nRUN echo ${randomUUID()} > /a && chown 1000:65533 /a\n`),
  );
  expect(await kiln.ended(ImageBuildId)).toMatchObject({ State: 'succeeded' });
});

type Security = NonNullable<Container['securityContext']>;
const without = (name: string) => (it: Security) =>
  (it.capabilities = { add: it.capabilities?.add?.filter((each) => each !== name) ?? [] });
it.each([
  ['a masked /proc', (it: Security) => (it.procMount = 'Default')],
  ['no CAP_SYS_ADMIN', without('SYS_ADMIN')],
  ['no CAP_NET_ADMIN', without('NET_ADMIN')],
  ['no CAP_SYS_PTRACE', without('SYS_PTRACE')],
])(
  'which needs what it has: with %s it does not start',
  async (_what, change) => {
    const builder = await startPod(change);
    expect(await builder.ended).not.toBe(0);
    expect(logTail(builder)).toContain('BuildKit cannot work here');
  },
  60_000,
);
