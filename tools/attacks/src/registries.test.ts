import { createHash, randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { eventually } from '@kiln/kit/testing';
import { openTestKiln, type TestKiln } from '@kiln/stack/testing';
import { openVictim } from './attacked-kiln.ts';

/** A registry that answers as the attack wants. */
let hostile: { host: string; answer: (req: IncomingMessage, res: ServerResponse) => void; close: () => void };
let victim: Awaited<ReturnType<typeof openVictim>>;
let kiln: TestKiln;

beforeAll(async () => {
  const server: Server = createServer((req, res) => hostile.answer(req, res));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  hostile = {
    host,
    answer: (_req, res) => res.end(),
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
  victim = await openVictim();
  // The operator trusts the hostile registry's address, and no other of this machine.
  kiln = await openTestKiln({
    apps: ['registrar'],
    env: { KILN_OPEN_ADDRESSES: host, KILN_REGISTER_WAIT_MS: '8000' },
  });
  await kiln.trustPlainHttp(host);
});
afterAll(async () => {
  await kiln.stop();
  hostile.close();
  victim.close();
});

const digestOf = (bytes: Buffer | string): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
const manifestType = 'application/vnd.oci.image.manifest.v1+json';
const indexType = 'application/vnd.oci.image.index.v1+json';

/** Registers an image of the hostile registry, and gives what became of it. */
async function register(): Promise<{ status: string; why: string }> {
  const path = `/v1/${kiln.account.projectId}/images`;
  const { body } = await kiln.modelarts('POST', path, {
    body: { swr_path: `${hostile.host}/evil/${randomUUID()}:v1` },
  });
  // An image that will not do is an error; one that could not be asked about is shown as that.
  if (body.error_code) return { status: String(body.error_code), why: String(body.error_msg) };
  const shown = await eventually(async () => {
    const { body: now } = await kiln.modelarts('GET', `${path}/${body.id}`);
    return now.status !== 'INIT' && now.status_message ? now : undefined;
  }, 'the registration to come to something');
  return { status: String(shown.status), why: String(shown.status_message) };
}

const sendManifest = (
  res: ServerResponse,
  bytes: Buffer | string,
  type: string,
  more: Record<string, string> = {},
): void => {
  res.writeHead(200, { 'content-type': type, 'docker-content-digest': digestOf(bytes), ...more });
  res.end(bytes);
};

describe('where a registry sends Kiln', () => {
  it.each([
    ['loopback', () => `http://127.0.0.1:${victim.port}/secret`],
    ['loopback in another writing', () => `http://2130706433:${victim.port}/secret`],
    ['loopback of IPv6', () => `http://[::ffff:127.0.0.1]:${victim.port}/secret`],
    ['a name of this machine', () => `http://localhost:${victim.port}/secret`],
    ['metadata', () => 'http://169.254.169.254/latest/meta-data/'],
  ])('a redirect to %s is not followed', async (_what, to) => {
    hostile.answer = (_req, res) => res.writeHead(307, { location: to() }).end();
    const { status, why } = await register();
    expect([status, why].join(' ')).toMatch(/does not connect|resolves to/);
    expect(victim.visits).toEqual([]);
  });

  it.each([
    ['of another host', () => `http://localhost:${victim.port}/token`],
    ['of this machine', () => `http://127.0.0.1:${victim.port}/token`],
    ['of metadata', () => 'http://169.254.169.254/token'],
  ])('a realm %s gets neither a request nor credentials', async (_what, realm) => {
    hostile.answer = (_req, res) =>
      res.writeHead(401, { 'www-authenticate': `Bearer realm="${realm()}",service="x"` }).end();
    const { why } = await register();
    expect(why).toMatch(/not of its domain|does not connect/);
    expect(victim.visits).toEqual([]);
  });

  it('redirects without end are not followed', async () => {
    let asked = 0;
    hostile.answer = (_req, res) => {
      asked += 1;
      res.writeHead(302, { location: `http://${hostile.host}/v2/loop/${asked}` }).end();
    };
    expect((await register()).why).toContain('more than 3 redirects');
    expect(asked).toBeLessThan(20);
  });
});

describe('what a registry sends Kiln', () => {
  const cases: [string, (res: ServerResponse) => void, RegExp][] = [
    ['bytes that do not fit their digest', (res) => sendManifest(res, '{"schemaVersion":2}', manifestType, { 'docker-content-digest': digestOf('other') }), /does not match its digest/],
    ['no JSON', (res) => sendManifest(res, 'PK\u0003\u0004', manifestType), /is not JSON/],
    ['a manifest of 5 MiB', (res) => sendManifest(res, Buffer.alloc(5 << 20, 0x20), manifestType), /more than \d+ bytes/],
    ['10,000 layers', (res) => sendManifest(res, JSON.stringify({ schemaVersion: 2, config: layer, layers: Array(10_000).fill(layer) }), manifestType), /layers/],
    ['an index of 10,000 manifests', (res) => sendManifest(res, JSON.stringify({ schemaVersion: 2, manifests: Array(10_000).fill(layer) }), indexType), /manifests/],
    ['JSON 100,000 levels deep', (res) => sendManifest(res, '['.repeat(100_000) + ']'.repeat(100_000), manifestType), /is not well-formed|is not JSON/],
    ['another type in the body than in the header', (res) => sendManifest(res, JSON.stringify({ schemaVersion: 2, mediaType: indexType, config: layer, layers: [] }), manifestType), /calls itself/],
    ['a size below zero', (res) => sendManifest(res, JSON.stringify({ schemaVersion: 2, config: { ...layer, size: -1 }, layers: [] }), manifestType), /size/],
    ['a digest that is a path', (res) => sendManifest(res, JSON.stringify({ schemaVersion: 2, config: { ...layer, digest: 'sha256:../../etc/passwd' }, layers: [] }), manifestType), /digest/],
    ['a manifest of no kind', (res) => sendManifest(res, '<html>', 'text/html'), /is of type text\/html/],
  ]; // prettier-ignore
  const layer = { mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', digest: digestOf('x'), size: 1 };

  it.each(cases)('%s: the image is refused with the reason, and the registrar goes on', async (_what, send, why) => {
    hostile.answer = (_req, res) => send(res);
    const found = await register();
    expect(found.status).not.toBe('ACTIVE');
    expect(found.why).toMatch(why);
  });

  it('an index of indexes is not followed down', async () => {
    const index = JSON.stringify({ schemaVersion: 2, manifests: [layer] });
    hostile.answer = (req, res) =>
      sendManifest(res, index, indexType, req.url?.includes('sha256') ? { 'docker-content-digest': layer.digest } : {});
    expect((await register()).status).not.toBe('ACTIVE');
  });

  it('a manifest that is cut off is not taken for one', async () => {
    hostile.answer = (_req, res) => {
      res.writeHead(200, { 'content-type': manifestType, 'content-length': '1000' });
      res.write('{"schemaVersion":2');
      setTimeout(() => res.destroy(), 20);
    };
    const { status } = await register();
    expect(status).not.toBe('ACTIVE');
  });

  it('a blob of another size than declared is noticed', async () => {
    const config = JSON.stringify({
      os: 'linux',
      architecture: 'amd64',
      rootfs: { type: 'layers', diff_ids: [digestOf('y')] },
    });
    const manifest = JSON.stringify({
      schemaVersion: 2,
      config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest: digestOf(config), size: config.length },
      layers: [{ ...layer, size: 1 << 30 }],
    });
    hostile.answer = (req, res) => {
      if (req.url?.includes('/manifests/')) return sendManifest(res, manifest, manifestType);
      if (req.url?.includes(digestOf(config))) return void res.end(config);
      res.writeHead(200, { 'content-length': '7' }).end(req.method === 'HEAD' ? undefined : 'seven b');
    };
    const { why } = await register();
    expect(why).toContain('has 7 bytes, but the manifest says');
  });
});
