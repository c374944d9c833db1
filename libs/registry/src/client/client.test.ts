import { Secret } from '@kiln/kit';
import { testStack } from '@kiln/kit/testing';
import { openAddressRules } from '../egress/address-rules.ts';
import { openRegistryClients } from './client.ts';
import { sha256Digest } from './manifests.ts';
import { verifyImage } from '../verify/verify.ts';
import { openServed } from '../testing/served.ts';

// What a registry or something in its place may answer that a real one here does not: these servers play one fault
// each.
const { serve, close } = openServed();
const clients = openRegistryClients(openAddressRules(['127.0.0.0/8']));
afterAll(async () => {
  await clients.close();
  await close();
});

const credentials = { username: 'u', password: new Secret('p') };
const http = (host: string, more: object = {}) => clients.for({ host, tlsMode: 'http', ...more });
const code = (work: Promise<unknown>) => work.then(() => 'none', (error: unknown) => (error as { code?: string }).code); // prettier-ignore

it('reads a real image back and checks it whole', async () => {
  const stack = testStack();
  const found = await verifyImage(http(stack.registryHost), 'kiln/busybox', 'base', 'X86_64');
  expect(found.platforms).toEqual(['linux/amd64']);
  expect(found.digest).toBe(sha256Digest(found.manifest.bytes));
  expect(await code(verifyImage(http(stack.registryHost), 'kiln/busybox', 'nothing', 'X86_64'))).toBe(
    'ImagePathNotFound',
  );
  expect(await code(verifyImage(http(stack.privateRegistryHost), 'a/b', 'c', undefined))).toBe('RegistryDenied');
});

it('does not send credentials to a token service of another host', async () => {
  const elsewhere = await serve((_req, res) => res.end('{"token":"x"}'));
  const [, port] = elsewhere.host.split(':');
  const registry = await serve((_req, res) =>
    res.writeHead(401, { 'www-authenticate': `Bearer realm="http://localhost:${port}/token",service="s"` }).end(),
  );
  expect(await code(http(registry.host, { credentials }).headManifest('a/b', 'c'))).toBe('RegistryDenied');
  expect(elsewhere.seen).toEqual([]);
});

it('follows a redirect of a blob without its credentials', async () => {
  const blob = Buffer.from('{"a":1}');
  const storage = await serve((_req, res) => res.end(blob));
  const registry = await serve((req, res) => {
    if (!req.headers.authorization) res.writeHead(401, { 'www-authenticate': 'Basic realm="r"' }).end();
    else res.writeHead(307, { location: `http://${storage.host}/elsewhere` }).end();
  });
  expect(await http(registry.host, { credentials }).getBlob('a/b', sha256Digest(blob), 100)).toEqual(blob);
  expect(storage.seen.map((it) => it.headers.authorization)).toEqual([undefined]);
});

it('refuses bytes that do not match their digest, and more bytes than it asked for', async () => {
  const registry = await serve((_req, res) => res.end('x'.repeat(50)));
  const client = http(registry.host);
  expect(await code(client.getBlob('a/b', sha256Digest(Buffer.from('y')), 100))).toBe('ManifestInvalid');
  expect(await code(client.getBlob('a/b', sha256Digest(Buffer.from('y')), 10))).toBe('ManifestInvalid');
  const lying = await serve((_req, res) =>
    res.writeHead(200, { 'docker-content-digest': `sha256:${'0'.repeat(64)}` }).end('{}'),
  );
  expect(await code(http(lying.host).getManifest('a/b', 'c'))).toBe('ManifestInvalid');
});

it('tries a passing trouble again, and calls a lasting one unreachable', async () => {
  let asked = 0;
  const recovers = await serve((_req, res) => {
    asked += 1;
    if (asked < 3) res.writeHead(503).end();
    else res.writeHead(404).end();
  });
  expect(await http(recovers.host).headManifest('a/b', 'c')).toBeUndefined();
  expect(asked).toBe(3);
  const broken = await serve((_req, res) => res.writeHead(500).end());
  expect(await code(http(broken.host).headManifest('a/b', 'c'))).toBe('RegistryUnreachable');
  expect(await code(http('127.0.0.1:1').headManifest('a/b', 'c'))).toBe('RegistryUnreachable');
});

it('sends a manifest again to a registry that does not know a blob for a moment, and no other refusal', async () => {
  const manifest = { bytes: Buffer.from('{}'), digest: 'sha256:0', mediaType: 'm' };
  const refusal = (errorCode: string) => JSON.stringify({ errors: [{ code: errorCode, message: 'm' }] });
  let asked = 0;
  const lags = await serve((_req, res) => {
    asked += 1;
    if (asked < 3) res.writeHead(400).end(refusal('MANIFEST_BLOB_UNKNOWN'));
    else res.writeHead(201).end();
  });
  expect(await http(lags.host).putManifest('a/b', 'c', manifest)).toBe(false);
  expect(asked).toBe(3);
  const denies = await serve((_req, res) => res.writeHead(400).end(refusal('TAG_INVALID')));
  expect(await code(http(denies.host).putManifest('a/b', 'c', manifest))).toBe('RegistryRefused');
  expect(denies.seen).toHaveLength(1);
});

it.each([
  ['no JSON', 'hello'],
  ['no config', '{"schemaVersion":2,"layers":[]}'],
  ['a digest of another kind', `{"schemaVersion":2,"config":{"mediaType":"c","digest":"md5:1","size":1},"layers":[]}`],
  [
    'another media type inside',
    `{"schemaVersion":2,"mediaType":"x","config":{"mediaType":"c","digest":"sha256:${'0'.repeat(64)}","size":1},"layers":[]}`,
  ],
])('refuses a manifest with %s', async (_what, text) => {
  const registry = await serve((_req, res) =>
    res.writeHead(200, { 'content-type': 'application/vnd.oci.image.manifest.v1+json' }).end(text),
  );
  expect(await code(verifyImage(http(registry.host), 'a/b', 'c', undefined))).toBe('ManifestInvalid');
});
