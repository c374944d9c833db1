import { createHash, randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { createGzip, gzipSync } from 'node:zlib';
import { eventually, testsAll } from '@kiln/kit/testing';
import { memoryMiB } from '@kiln/stack';
import { openTestKiln, type TestKiln } from '@kiln/stack/testing';
import { type Header, pack } from 'tar-stream';
import { longTest } from './attacked-kiln.ts';

let kiln: TestKiln;
beforeAll(async () => {
  kiln = await openTestKiln({
    env: { KILN_CONTEXT_BYTES: String(16 << 20), KILN_CONTEXT_FILES: '5000' },
  });
});
afterAll(() => kiln.stop());
// Whatever was tried: the api is there, has not grown, and keeps nothing that was not taken.
afterEach(async () => {
  expect((await call('GET', '/api/v1/contexts')).status).toBe(200);
  expect(peakMb()).toBeLessThan(450);
  const incoming = () => readdirSync(join(kiln.env['KILN_CONTEXT_DIR'] ?? '', 'incoming'));
  await eventually(() => Promise.resolve(incoming().length === 0 || undefined), 'that nothing half is kept');
});

const peakMb = (): number => memoryMiB(kiln.pids()['api'] ?? 0, 'peak');
const sha256 = (bytes: string | Buffer) => createHash('sha256').update(bytes).digest('hex');

interface Answered {
  status: number;
  body: any;
}
/** Sends bytes as they come, and gives the answer, or the error of the connection. */
const send = (
  method: string,
  path: string,
  body: Iterable<Buffer> | AsyncIterable<Buffer>,
  type: string,
): Promise<Answered> =>
  new Promise((resolve, reject) => {
    const req = request(
      `${kiln.url}${path}`,
      { method, headers: { authorization: `Bearer ${kiln.account.token}`, 'content-type': type } },
      (res) => {
        let text = '';
        res.on('data', (it: Buffer) => (text += it.toString()));
        res.on('end', () => resolve({ status: res.statusCode ?? 0, body: JSON.parse(text) }));
      },
    );
    req.on('error', reject);
    Readable.from(body)
      .on('error', (error) => req.destroy(error))
      .pipe(req);
  });
const call = (method: string, path: string, body: Buffer = Buffer.alloc(0), type = 'application/x-tar') =>
  send(method, path, [body], type);
const upload = (bytes: Buffer) => call('POST', '/api/v1/contexts', bytes);

type Entry = Partial<Header> & { name: string; content?: string | Buffer };
async function tarOf(entries: Iterable<Entry>): Promise<Buffer> {
  const out = pack();
  const written = (async () => {
    for (const { content = '', ...header } of entries)
      await new Promise<void>((resolve, reject) =>
        out.entry({ mode: 0o644, ...header }, content, (error) => (error ? reject(error) : resolve())),
      );
    out.finalize();
  })();
  const chunks: Buffer[] = [];
  for await (const it of out) chunks.push(it as Buffer);
  await written;
  return Buffer.concat(chunks);
}

/** A header as nobody's tar would write it. */
function headerOf(name: string, size: number, type: string): Buffer {
  const block = Buffer.alloc(512);
  block.write(name, 0);
  block.write('0000644\0', 100);
  block.write('0000000\0', 108);
  block.write('0000000\0', 116);
  block.write(`${size.toString(8).padStart(11, '0')}\0`, 124);
  block.write('00000000000\0', 136);
  block.write('        ', 148);
  block.write(type, 156);
  block.write('ustar\x0000', 257);
  const sum = block.reduce((all, it) => all + it, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return block;
}

/** So many zeros behind a beginning, packed: little is sent, and much comes out. */
async function* zerosBehind(begin: Buffer, megabytes: number): AsyncGenerator<Buffer> {
  const zeros = Buffer.alloc(1 << 20);
  function* plain() {
    yield begin;
    for (let n = 0; n < megabytes; n += 1) yield zeros;
  }
  for await (const it of Readable.from(plain()).pipe(createGzip({ level: 1 }))) yield it as Buffer;
}
const gzip = 'application/gzip';

describe('a hostile archive', () => {
  it.each<[string, Entry[], RegExp]>([
    ['that leads out', [{ name: '../../etc/cron.d/x' }], /is not a path within/],
    ['with an absolute path', [{ name: '/etc/passwd' }], /is not a path within/],
    ['with a device', [{ name: 'sda', type: 'block-device' }], /is a block-device/],
    ['with a pipe', [{ name: 'p', type: 'fifo' }], /is a fifo/],
    ['with a hard link to a file of the server', [{ name: 'h', type: 'link', linkname: '/etc/shadow' }], /hard link/],
    [
      'that writes through a link',
      [
        { name: 'l', type: 'symlink', linkname: '/etc' },
        { name: 'l/passwd', content: 'x' },
      ],
      /lies below "l", which is a link/,
    ],
    ['with NUL in a name', [{ name: 'a', pax: { path: 'a\0b' } }], /NUL/],
    ['with a name of 5,000 bytes', [{ name: `${'d/'.repeat(2500)}f` }], /folders deep|bytes/],
  ])('%s is refused', async (_name, entries, message) => {
    const { status, body } = await upload(await tarOf(entries));
    expect({ status, message: body.Message }).toEqual({
      status: 400,
      message: expect.stringMatching(message) as string,
    });
  });

  it('brings no set-user bit, no owner and no device into the image, and links lead where the image says', async () => {
    const bytes = await tarOf([
      { name: 'su', mode: 0o6755, uid: 1234, gid: 1234, content: 'x' },
      { name: 'hostname', type: 'symlink', linkname: '/etc/hostname' },
      { name: 'up', type: 'symlink', linkname: '../../../../../../../../etc' },
      { name: 'loop', type: 'symlink', linkname: 'loop' },
      { name: 'f', content: 'first' },
      { name: 'f', content: 'second' },
    ]);
    const { body } = await upload(bytes);
    const dockerfile = `FROM ${kiln.base}
COPY . /c/
RUN ls -ln /c/su | grep -q '^-rwxr-xr-x .* 0 *0 ' && test "$(readlink /c/loop)" = loop && test "$(cat /c/f)" = second
RUN test "$(readlink /c/hostname)" = /etc/hostname && test ! -e /c/hostname
`;
    const request = kiln.buildRequest(dockerfile, { config: { Context: { Type: 'Upload', Id: body.Id } } });
    expect((await kiln.ended((await kiln.submit(request)).ImageBuildId)).State).toBe('succeeded');
    // What is outside of the context is nowhere, whichever way it is named.
    for (const path of ['hostname', 'up/passwd', 'loop', '../f'])
      expect(
        await kiln.ended(
          (
            await kiln.submit(
              kiln.buildRequest(`FROM ${kiln.base}\nCOPY ${path} /x\nRUN test "$(cat /x)" = second\n`, {
                config: { Context: { Type: 'Upload', Id: body.Id } },
              }),
            )
          ).ImageBuildId,
        ),
      ).toMatchObject(
        // Docker looks for what leads out of the context in the context.
        path === '../f' ? { State: 'succeeded' } : { State: 'failed', Error: { Class: 'user', FirstLine: 2 } },
      );
  });

  it('that unpacks to gigabytes is refused at its limit', async () => {
    const begun = performance.now();
    const bomb = await send('POST', '/api/v1/contexts', zerosBehind(headerOf('zeros', 7 * 2 ** 30, '0'), 300), gzip);
    expect(bomb).toMatchObject({ status: 413, body: { Code: 'ContextTooLarge' } });
    expect(performance.now() - begun).toBeLessThan(20_000);
  });

  it.each(['x', 'g', 'L', 'K'])(
    'whose header of type %s has hundreds of megabytes is refused',
    async (type) => {
      const { status, body } = await send(
        'POST',
        '/api/v1/contexts',
        zerosBehind(headerOf('PaxHeader', 600 << 20, type), 600),
        gzip,
      );
      expect(status).toBe(400);
      expect(body.Message).toMatch(/[Hh]eader/);
    },
    60_000,
  );

  it('of more entries than may be is refused at the first that is too many', async () => {
    const count = testsAll ? 1_000_000 : 50_000;
    function* many() {
      for (let n = 0; n < count; n += 1) yield headerOf(`d/${n}`, 0, '0');
      yield Buffer.alloc(1024);
    }
    const { status, body } = await send('POST', '/api/v1/contexts', many(), 'application/x-tar');
    expect(status).toBe(413);
    expect(body.Message).toMatch(/more than 5000 files and folders/);
  });

  it('that is cut is not kept', async () => {
    const whole = await tarOf([{ name: 'a', content: randomBytes(2 << 20) }]);
    async function* cut() {
      yield whole.subarray(0, 1 << 20);
      await new Promise((resolve) => setTimeout(resolve, 100));
      throw new Error('cut');
    }
    await expect(send('POST', '/api/v1/contexts', cut(), 'application/x-tar')).rejects.toThrow(/cut|hang up/);
    expect(await upload(whole.subarray(0, 1 << 20))).toMatchObject({ status: 400 });
    const { body } = await upload(whole);
    const { body: listed } = await call('GET', `/api/v1/contexts/${body.Id}`);
    expect(listed.Entries).toEqual([{ Path: 'a', Type: 'file', Size: 2 << 20 }]);
  });
});

describe('a hostile list', () => {
  const plan = (bytes: Buffer) => call('POST', '/api/v1/contexts/plan', bytes, 'application/x-ndjson');
  const line = (...entry: unknown[]) => Buffer.from(`${JSON.stringify(entry)}\n`);

  it.each<[string, Buffer, number]>([
    ['of no JSON', Buffer.from('["a"'), 400],
    ['of one endless line', Buffer.alloc(3 << 20, 'x'), 400],
    ['with a size below zero', line('a', 'file', 420, -1, 'a'.repeat(64)), 400],
    ['with a size beyond whole numbers', line('a', 'file', 420, 1e300, 'a'.repeat(64)), 400],
    ['with a size that is too large', line('a', 'file', 420, 1e12, 'a'.repeat(64)), 413],
    ['with a path that leads out', line('../a', 'folder', 493), 400],
    ['with one path twice', Buffer.concat([line('a', 'folder', 493), line('a', 'folder', 493)]), 400],
    ['with a digest that is a path', line('a', 'file', 420, 1, `../../${'a'.repeat(58)}`), 400],
    ['that unpacks to much', gzipSync(Buffer.alloc(90 << 20, '\n')), 413],
  ])('%s is refused', async (_name, bytes, status) => {
    expect(await plan(bytes)).toMatchObject({ status });
  });

  it('gets no file that has other bytes than it says', async () => {
    const { body } = await plan(line('a', 'file', 420, 3, sha256('abc')));
    const give = async (name: string, content: string) =>
      call('POST', `/api/v1/contexts/${body.Id}/files`, await tarOf([{ name, content }]));
    expect(await give(sha256('abc'), 'abd')).toMatchObject({ status: 400 });
    expect(await give(sha256('abc'), 'abcd')).toMatchObject({ status: 413 });
    expect(await give(sha256('x'), 'x')).toMatchObject({ status: 400 });
    expect((await call('GET', `/api/v1/contexts/${body.Id}`)).status).toBe(404);
    expect(await give(sha256('abc'), 'abc')).toMatchObject({ status: 200, body: { Missing: [] } });
  });
});

describe('many uploads at once', () => {
  const atOnce = async (count: number): Promise<void> => {
    const archives = await Promise.all(
      Array.from({ length: count }, (_, n) =>
        tarOf([{ name: 'a', content: Buffer.alloc(64 << 10, `${n} of ${count} `) }]),
      ),
    );
    async function* slowly(bytes: Buffer) {
      for (let at = 0; at < bytes.length; at += 8 << 10) {
        yield bytes.subarray(at, at + (8 << 10));
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
    const answers = await Promise.all(
      archives.map((it) => send('POST', '/api/v1/contexts', slowly(it), 'application/x-tar')),
    );
    expect(answers.filter((it) => it.status !== 201).map((it) => it.body)).toEqual([]);
    expect(new Set(answers.map((it) => it.body.Id)).size).toBe(count);
  };
  it('are all taken', () => atOnce(150));
  longTest('are all taken, a thousand of them', () => atOnce(1000), 300_000);
});
