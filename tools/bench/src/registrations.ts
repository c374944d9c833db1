import { program, runQuietly } from '@kiln/stack';
import type { BenchStack } from './bench-stack.ts';
import { load, ms, quantile, type Row, timed } from './measure.ts';

const manifestType = 'application/vnd.oci.image.manifest.v1+json';
const count = 600;

/** Registrations a second against `skopeo inspect` of the same images, eight at once each. */
type Registers = Pick<BenchStack, 'client' | 'account' | 'registryHost' | 'tiny'>;

/** Puts that many tags of one image into the registry. */
async function pushTags({ registryHost }: Registers): Promise<void> {
  const manifest = await (
    await fetch(`http://${registryHost}/v2/kiln/busybox/manifests/base`, { headers: { accept: manifestType } })
  ).text();
  for (let n = 0; n < count; n += 1) {
    await fetch(`http://${registryHost}/v2/kiln/busybox/manifests/n${n}`, {
      method: 'PUT',
      body: manifest,
      headers: { 'content-type': manifestType },
    });
  }
}

/** Registers each of them, eight at once. */
async function registerAll(stack: Registers): Promise<{ perSecond: number; latencies: number[] }> {
  await pushTags(stack);
  const { client, account, tiny } = stack;
  const reference = tiny.slice(0, tiny.lastIndexOf(':'));
  let next = 0;
  const latencies: number[] = [];
  const lane = async () => {
    for (let n = next++; n < count; n = next++) {
      latencies.push(
        await timed(async () => {
          const answer = await client.modelarts('POST', `/v1/${account.projectId}/images`, {
            body: { swr_path: `${reference}:n${n}` },
          });
          if (answer.status !== 200) throw new Error(answer.text);
        }),
      );
    }
  };
  const took = await timed(() => Promise.all(Array.from({ length: 8 }, lane)));
  return { perSecond: (count / took) * 1000, latencies };
}

const tell = ({ perSecond, latencies }: { perSecond: number; latencies: number[] }) =>
  `${perSecond.toFixed(0)}/s, p50 ${ms(quantile(latencies, 0.5))}, p99 ${ms(quantile(latencies, 0.99))}`;

export async function benchRegistrations(stack: BenchStack): Promise<Row[]> {
  const ours = await registerAll(stack);
  const reference = stack.tiny.slice(0, stack.tiny.lastIndexOf(':'));
  let asked = 0;
  const theirs = await load(
    8,
    5000,
    async () =>
      void (await runQuietly([
        program('skopeo'),
        'inspect',
        '--tls-verify=false',
        `docker://${reference}:n${asked++ % count}`,
      ])),
  );
  return [
    {
      what: '(d) registrations, 8 at once',
      ours: tell(ours),
      other: `skopeo inspect: ${tell(theirs)}`,
      ratio: ours.perSecond / theirs.perSecond,
      aim: '≥ 10',
    },
  ];
}

/** The same of two Kilns. */
export async function compareRegistrations(
  what: string,
  ours: Registers,
  theirs: Registers,
  aim: string,
): Promise<Row> {
  const [first, second] = [await registerAll(ours), await registerAll(theirs)];
  return { what, ours: tell(first), other: tell(second), ratio: first.perSecond / second.perSecond, aim };
}
