import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createWriteStream, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { type AddressInfo, connect, createServer as createTcpServer } from 'node:net';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { memoryMiB, root } from '@kiln/stack';
import type { BenchStack } from './bench-stack.ts';
import { inTurn, median, ms, type Row, timed } from './measure.ts';

const run = promisify(execFile);
const cli = join(root, 'apps/cli/kiln.mjs');
const mib = 1 << 20;

/** A server that writes what comes into a file, and does nothing else. */
async function startPlainServer(dir: string): Promise<{ url: string; stop(): void }> {
  let n = 0;
  const server = createServer((req, res) => {
    const file = join(dir, `plain-${(n += 1)}`);
    pipeline(req, createWriteStream(file))
      .then(() => {
        res.end();
        rmSync(file);
      })
      .catch(() => res.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, stop: () => void server.close() };
}

/** Stands before the api, and counts what clients send. */
async function startCounter(url: string): Promise<{ url: string; sent(): number; stop(): void }> {
  const { port, hostname } = new URL(url);
  let sent = 0;
  const server = createTcpServer((client) => {
    const api = connect(Number(port), hostname);
    client.on('data', (it) => (sent += it.length));
    for (const it of [client, api]) it.on('error', () => undefined);
    client.pipe(api).pipe(client);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    sent: () => sent,
    stop: () => void server.close(),
  };
}

/** Contexts that are sent, beside the same bytes sent by curl to a server that only writes them down. */
export async function benchUploads(stack: BenchStack, rounds: number): Promise<Row[]> {
  const { dir, account, url } = stack;
  const api = stack.apps.find((it) => it.name === 'api')?.process.pid ?? 0;
  const work = join(dir, 'uploads');
  mkdirSync(work, { recursive: true });
  const plain = await startPlainServer(work);
  const counter = await startCounter(url);
  const header = `Authorization: Bearer ${account.token}`;
  const post = async (file: string, to: string): Promise<void> => {
    const { stdout } = await run('curl', ['-s', '-w', '%{http_code}', '-o', '/dev/null', '-H', header, '-H', 'Content-Type: application/x-tar', '-X', 'POST', '-T', file, to]); // prettier-ignore
    if (!/^20/.test(stdout)) throw new Error(`${to} answered ${stdout}`);
  };
  let images = 0;
  /** Sends a folder as `kiln submit` does; the build itself is let go. */
  const submit = async (folder: string, to = url): Promise<void> => {
    const env = { ...process.env, KILN_URL: to, KILN_TOKEN: account.token };
    const { stdout } = await run(process.execPath, [cli, 'submit', '-t', `uploads/n:v${(images += 1)}`, folder], {
      env,
    });
    await stack.client.pai('POST', `/api/v1/imagebuilds/${stdout.trim()}/cancel`);
  };
  const rows: Row[] = [];
  try {
    // One large file, and never the same bytes: what Kiln has already would not come again.
    const large = join(work, 'large.tar');
    const makeLarge = async (): Promise<void> => {
      writeFileSync(join(work, 'data'), randomBytes(256 * mib));
      await run('tar', ['-C', work, '-cf', large, 'data']);
    };
    const [ours = [], theirs = []] = await inTurn(rounds, [
      async () => {
        await makeLarge();
        return timed(() => post(large, `${url}/api/v1/contexts`));
      },
      () => timed(() => post(large, plain.url)),
    ]);
    const rate = (all: number[]) => `${(256 / (median(all) / 1000)).toFixed(0)} MiB/s`;
    rows.push({
      what: '(h) upload of 256 MiB by curl',
      ours: rate(ours),
      other: `plain server: ${rate(theirs)}`,
      ratio: median(theirs) / median(ours),
      aim: '≥ 0.5',
    });

    const small = join(work, 'small');
    const smallTar = join(work, 'small.tar');
    const makeSmall = (): void => {
      rmSync(small, { recursive: true, force: true });
      mkdirSync(small);
      writeFileSync(join(small, 'Dockerfile'), 'FROM scratch\nCOPY 0 /\n');
      for (let n = 0; n < 100; n += 1) {
        mkdirSync(join(small, String(n)));
        for (let of = 0; of < 100; of += 1) writeFileSync(join(small, String(n), `${of}.txt`), randomBytes(2000));
      }
    };
    const [many = [], again = [], packed = []] = await inTurn(Math.min(rounds, 3), [
      () => {
        makeSmall();
        return timed(() => submit(small));
      },
      () => timed(() => submit(small)),
      () =>
        timed(async () => {
          await run('tar', ['-C', small, '-cf', smallTar, '.']);
          await post(smallTar, plain.url);
        }),
    ]);
    const tarred = { other: `tar and curl: ${ms(median(packed))}` };
    rows.push(
      { what: '(h) kiln submit of 10,000 new files', ours: ms(median(many)), ...tarred, ratio: median(many) / median(packed), aim: '–' },
      { what: '(h) the same files again', ours: ms(median(again)), ...tarred, ratio: median(again) / median(packed), aim: '–' },
    ); // prettier-ignore

    const tree = join(work, 'tree');
    mkdirSync(tree);
    writeFileSync(join(tree, 'Dockerfile'), 'FROM scratch\nCOPY Dockerfile /\n');
    for (let n = 0; n < 128; n += 1) writeFileSync(join(tree, `part-${n}`), randomBytes(8 * mib));
    await submit(tree);
    writeFileSync(join(tree, 'part-7'), randomBytes(8 * mib));
    const before = counter.sent();
    await submit(tree, counter.url);
    const sent = counter.sent() - before;
    rows.push({
      what: '(h) sent of 1 GiB when 8 MiB changed',
      ours: `${(sent / mib).toFixed(2)} MiB`,
      other: 'the file: 8.00 MiB',
      ratio: sent / (8 * mib),
      aim: '< 1.05',
    });

    const idle = memoryMiB(api, 'peak');
    const huge = join(work, 'huge');
    await run('sh', ['-c', `head -c 1900000000 /dev/urandom > '${huge}' && tar -C '${work}' -cf '${huge}.tar' huge`]);
    await post(`${huge}.tar`, `${url}/api/v1/contexts`);
    rows.push({
      what: '(h) api’s memory at its peak, 1.9 GB sent',
      ours: `${memoryMiB(api, 'peak').toFixed(0)} MB`,
      other: `before: ${idle.toFixed(0)} MB`,
      ratio: memoryMiB(api, 'peak') / idle,
      aim: '≤ 1.2',
    });
  } finally {
    plain.stop();
    counter.stop();
    rmSync(work, { recursive: true, force: true });
  }
  return rows;
}
