import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { freePort, startProcess } from '@kiln/stack';
import type { BenchStack } from './bench-stack.ts';
import { load, ms, quantile, type Row } from './measure.ts';

const width = 16;
const durationMs = 5000;

const bodyOf = ({ account, registryHost, tiny }: BenchStack) => {
  const name = `load-${randomUUID().slice(0, 18)}`;
  return {
    WorkspaceId: account.workspaceId,
    Resource: { EcsSpec: 'ecs.c6.large' },
    TargetRegistry: { Type: 'AcrEnterprise', InstanceId: account.connectionId },
    BuildConfig: { Dockerfile: `FROM ${tiny}\nRUN echo a\nRUN echo b\n`, BuildType: 'CustomDockerfile' },
    Image: { Name: name, Uri: `${registryHost}/load/${name}:v1`, Labels: [{ Key: 'a', Value: 'b' }] },
  };
};

/**
 * Accepted submissions a second, in turn with a bare route that does one INSERT of the same body. The builder must be
 * stopped before; what was accepted is thrown away afterwards. The load comes from this process, on the same two cores.
 */
export async function benchSubmissions(stack: BenchStack): Promise<Row[]> {
  const port = await freePort();
  const bare = startProcess(
    stack.dir,
    'bare-express',
    [process.execPath, join(import.meta.dirname, 'bare-express.js')],
    { env: { DATABASE_URL: stack.databaseUrl, PORT: String(port) } },
  );
  await bare.logged('"ready"');
  const signed = async () => {
    const answer = await stack.client.pai('POST', '/api/v1/imagebuilds', { body: bodyOf(stack) });
    if (answer.status !== 200) throw new Error(answer.text);
  };
  const token = async () => {
    const headers = { authorization: `Bearer ${stack.account.token}`, 'content-type': 'application/json' };
    const answer = await fetch(`${stack.url}/api/v1/imagebuilds`, {
      method: 'POST',
      headers,
      body: JSON.stringify(bodyOf(stack)),
    });
    if (answer.status !== 200) throw new Error(await answer.text());
    await answer.arrayBuffer();
  };
  const plain = async () => {
    const answer = await fetch(`http://127.0.0.1:${port}/`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(bodyOf(stack)),
    });
    if (answer.status !== 200) throw new Error(await answer.text());
    await answer.arrayBuffer();
  };
  const rounds = {
    signed: [] as Awaited<ReturnType<typeof load>>[],
    token: [] as Awaited<ReturnType<typeof load>>[],
    plain: [] as Awaited<ReturnType<typeof load>>[],
  };
  for (const call of [signed, token, plain]) await load(width, 1000, call);
  for (let round = 0; round < 3; round += 1) {
    rounds.signed.push(await load(width, durationMs, signed));
    rounds.token.push(await load(width, durationMs, token));
    rounds.plain.push(await load(width, durationMs, plain));
  }
  await bare.stop();
  await stack.database.db.$client.query('DELETE FROM outbox');
  await stack.database.db.$client.query("UPDATE builds SET state = 'cancelled' WHERE state = 'queued'");
  const rate = (all: { perSecond: number }[]) => all.map((it) => it.perSecond).sort((a, b) => a - b)[1] ?? NaN;
  const tell = (all: { perSecond: number; latencies: number[] }[]) => {
    const latencies = all.flatMap((it) => it.latencies);
    return `${rate(all).toFixed(0)}/s, p50 ${ms(quantile(latencies, 0.5))}, p99 ${ms(quantile(latencies, 0.99))}`;
  };
  return [
    {
      what: '(c) submissions, ACS3-signed, 16 at once',
      ours: tell(rounds.signed),
      other: `bare Express, one INSERT: ${tell(rounds.plain)}`,
      ratio: rate(rounds.signed) / rate(rounds.plain),
      aim: '≥ 0.60',
    },
    {
      what: '(c) submissions with a bearer token',
      ours: tell(rounds.token),
      other: 'the same',
      ratio: rate(rounds.token) / rate(rounds.plain),
      aim: '',
    },
  ];
}
