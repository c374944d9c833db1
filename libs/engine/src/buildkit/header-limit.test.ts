import { connect as connectHttp2, createServer, type IncomingHttpHeaders } from 'node:http2';
import { type AddressInfo, connect, createServer as createTcpServer, type Socket } from 'node:net';
import { once } from 'node:events';
import { limitHeaders } from './header-limit.ts';

const open = (port: number) =>
  connectHttp2(`http://127.0.0.1:${port}`, { createConnection: () => limitHeaders(connect(port, '127.0.0.1')) });

it('leaves out what is too long of trailers, and keeps the rest and all that comes after it', async () => {
  const server = createServer({ maxSendHeaderBlockLength: 1 << 24 });
  server.on('stream', (stream, headers) => {
    const bytes = Number(headers['x-bytes']);
    stream.respond({ 'x-kept': `kept ${bytes}`, 'x-again': 'always the same' }, { waitForTrailers: true });
    stream.on('wantTrailers', () =>
      stream.sendTrailers({ 'grpc-status': '2', 'x-last': `last ${bytes}`, 'x-long': 'ab+/'.repeat(bytes / 4) }),
    );
    stream.end(Buffer.alloc(bytes, 'x'));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const client = open((server.address() as AddressInfo).port);
  // The longest that Node.js's own side sends is less than 64 KiB for one value.
  for (const bytes of [0, 4000, 32_000, 60_000, 4, 60_000, 400]) {
    const stream = client.request({ 'x-bytes': String(bytes) });
    let received = 0;
    stream.on('data', (it: Buffer) => (received += it.length));
    const [[headers], [trailers]] = (await Promise.all(
      ['response', 'trailers', 'close'].map((it) => once(stream, it)),
    )) as [[IncomingHttpHeaders], [IncomingHttpHeaders]];
    expect(headers).toMatchObject({ 'x-kept': `kept ${bytes}`, 'x-again': 'always the same' });
    expect(trailers).toMatchObject({ 'grpc-status': '2', 'x-last': `last ${bytes}` });
    expect(String(trailers['x-long'])).toHaveLength(bytes > 32_768 ? 47 : bytes);
    expect(received).toBe(bytes);
  }
  client.close();
  server.close();
});

/** A frame of HTTP/2: its type, its flags, and what is in it, all on stream 1. */
const frame = (type: number, flag: number, payload: Buffer): Buffer => {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  [head[3], head[4], head[8]] = [type, flag, 1];
  return Buffer.concat([head, payload]);
};

it.each([
  [
    'goes on without end',
    Buffer.concat([frame(1, 0, Buffer.alloc(9)), ...Array<Buffer>(300).fill(frame(9, 0, Buffer.alloc(16_384)))]),
  ],
  ['continues what did not begin', frame(9, 4, Buffer.alloc(9))],
  [
    'has lengths that lead out of it',
    frame(1, 4, Buffer.concat([Buffer.alloc(40_000), Buffer.from([0, 127, 255, 255, 127])])),
  ],
  [
    'has a number of no end',
    frame(1, 4, Buffer.concat([Buffer.from([255, 255, 255, 255, 255, 255, 255]), Buffer.alloc(40_000)])),
  ],
])('ends the connection of a daemon whose headers are a block that %s', async (_what, bytes) => {
  const sockets: Socket[] = [];
  const server = createTcpServer((socket) => {
    sockets.push(socket.on('error', () => undefined));
    socket.write(bytes);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const stream = limitHeaders(connect((server.address() as AddressInfo).port, '127.0.0.1'));
  const [error] = (await once(stream.resume(), 'error').catch((it: unknown) => [it])) as [Error];
  expect(error.message).toMatch(/^the daemon (sends|continues) headers/);
  for (const it of sockets) it.destroy();
  server.close();
});
