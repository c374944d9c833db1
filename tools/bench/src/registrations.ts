import { program, runQuietly } from '@kiln/stack';
import { type BenchStack } from './bench-stack.ts';
import { load, ms, quantile, type Row, timed } from './measure.ts';

const manifestType = 'application/vnd.oci.image.manifest.v1+json';
const count = 600;

/** Registrations a second against `skopeo inspect` of the same images, eight at once each. */
export async function benchRegistrations({ client, account, registryHost, tiny }: BenchStack): Promise<Row[]> {
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
  const ours = (count / took) * 1000;
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
  const tell = (perSecond: number, all: number[]) =>
    `${perSecond.toFixed(0)}/s, p50 ${ms(quantile(all, 0.5))}, p99 ${ms(quantile(all, 0.99))}`;
  return [
    {
      what: '(d) registrations, 8 at once',
      ours: tell(ours, latencies),
      other: `skopeo inspect: ${tell(theirs.perSecond, theirs.latencies)}`,
      ratio: ours / theirs.perSecond,
      aim: '≥ 10',
    },
  ];
}
