import { createSocket, type Socket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type GuardedPost, openGuardedPost } from './guarded-post.ts';
import { openAddressRules } from './address-rules.ts';

/** Name → address that the name server gives; for other names it says nothing at all. */
const names: Record<string, string> = { 'inside.example.com': '10.0.0.1', 'open.example.com': '127.0.0.1' };
let nameServer: Socket;
let target: Server;
let port: number;
let guarded: GuardedPost;

/** The answer to a question for an address of IPv4, or that there is none, by RFC 1035. */
function answerTo(question: Buffer): Buffer | undefined {
  const labels: string[] = [];
  let at = 12;
  for (let size = question[at] ?? 0; size > 0; size = question[at] ?? 0) {
    labels.push(question.subarray(at + 1, at + 1 + size).toString());
    at += size + 1;
  }
  const address = names[labels.join('.')];
  if (address === undefined) return undefined;
  const asked = question.subarray(12, at + 5);
  const isV4 = asked.readUInt16BE(asked.length - 4) === 1;
  const head = Buffer.from([question[0] ?? 0, question[1] ?? 0, 0x81, 0x80, 0, 1, 0, isV4 ? 1 : 0, 0, 0, 0, 0]);
  const record = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, ...address.split('.').map(Number)]);
  return Buffer.concat([head, asked, ...(isV4 ? [record] : [])]);
}

beforeAll(async () => {
  nameServer = createSocket('udp4', (question, from) => {
    const answer = answerTo(question);
    if (answer) nameServer.send(answer, from.port, from.address);
  });
  await new Promise<void>((resolve) => nameServer.bind(0, '127.0.0.1', resolve));
  target = createServer((_req, res) => res.writeHead(200).end('hello'));
  await new Promise<void>((resolve) => target.listen(0, '127.0.0.1', resolve));
  port = (target.address() as AddressInfo).port;
  guarded = openGuardedPost(openAddressRules(['127.0.0.1']), [`127.0.0.1:${nameServer.address().port}`]);
});
afterAll(async () => {
  await guarded.close();
  nameServer.close();
  target.close();
});

const post = (host: string) => guarded.post(`http://${host}:${port}/`, {}, '{}', 5000);

it('sends to what a name leads to, unless that is closed', async () => {
  expect(await post('open.example.com')).toEqual({ status: 200, retryAfter: undefined });
  await expect(post('inside.example.com')).rejects.toMatchObject({ code: 'AddressNotAllowed' });
  await expect(post('[::ffff:10.0.0.1]')).rejects.toMatchObject({ code: 'AddressNotAllowed' });
  await expect(post('0xa000001')).rejects.toMatchObject({ code: 'AddressNotAllowed' });
});

it('a name server that says nothing holds up nobody else', async () => {
  const hanging = Promise.allSettled(Array.from({ length: 20 }, (_, n) => post(`silent-${n}.example.com`)));
  const begun = Date.now();
  await post('open.example.com');
  await lookup('localhost');
  expect(Date.now() - begun).toBeLessThan(4500);
  expect(new Set((await hanging).map((it) => it.status))).toEqual(new Set(['rejected']));
  expect(Date.now() - begun).toBeLessThan(8000);
});
