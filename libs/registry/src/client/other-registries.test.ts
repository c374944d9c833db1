import type { RequestListener } from 'node:http';
import { Secret } from '@kiln/kit';
import { parseChallenge } from './challenge.ts';
import { openAddressRules } from '../egress/address-rules.ts';
import { openRegistryClients } from './client.ts';
import { sha256Digest } from './manifests.ts';
import { verifyImage } from '../verify/verify.ts';
import { openServed } from '../testing/served.ts';

// What registries say that Debian's does not, as people have met it. These servers play one of them each.
const { serve, close } = openServed();
const clients = openRegistryClients(openAddressRules(['127.0.0.0/8']));
afterAll(async () => {
  await clients.close();
  await close();
});
const credentials = { username: 'u', password: new Secret('p') };
const http = (host: string, more: object = {}) => clients.for({ host, tlsMode: 'http', ...more });
const problem = async (work: Promise<unknown>): Promise<{ code: string; message: string }> => {
  const error = await work.then(
    () => ({ code: 'none', message: '' }),
    (it: unknown) => it as { code: string; message: string },
  );
  return { code: error.code, message: error.message };
};

describe('WWW-Authenticate', () => {
  const bearer = { scheme: 'bearer', realm: new URL('https://auth.example.com/token'), service: 's', scope: undefined };
  it.each([
    ['the usual form', 'Bearer realm="https://auth.example.com/token",service="s"', bearer],
    ['Negotiate before it', 'Negotiate, Bearer realm="https://auth.example.com/token", service="s"', bearer],
    ['Negotiate with a token before it', 'Negotiate YIIabc==, Bearer realm="https://auth.example.com/token",service="s"', bearer],
    ['in headers of their own', ['Negotiate', 'Bearer realm="https://auth.example.com/token",service="s"'], bearer],
    ['Basic before it, and no credentials', 'Basic realm="x", Bearer realm="https://auth.example.com/token",service="s"', bearer],
    ['no quotes', 'Bearer realm=https://auth.example.com/token,service=s', bearer],
    ['a scope without quotes', 'bearer realm=https://auth.example.com/token,scope=repository:a/b:pull,push,service=s', { ...bearer, scope: 'repository:a/b:pull,push' }],
    ['spaces around the signs', 'Bearer realm = "https://auth.example.com/token" , service = "s"', bearer],
    ['a quote within', 'Bearer service="s",realm="https://auth.example.com/to\\ken"', bearer],
    ['a bearer without a realm, then another', 'Bearer realm="", Bearer realm="https://auth.example.com/token",service="s"', bearer],
    ['Basic alone', 'Basic', { scheme: 'basic' }],
    ['Digest before Basic', 'Digest realm="x", nonce="a,b", Basic realm="y"', { scheme: 'basic' }],
  ])('%s', (_what, header, expected) => {
    expect(parseChallenge(header, { host: 'registry.example.com' })).toEqual(expected);
  }); // prettier-ignore

  it('takes Basic where it comes first and there are credentials', () => {
    const header = 'Basic realm="x", Bearer realm="https://auth.example.com/token"';
    expect(parseChallenge(header, { host: 'h', credentials })).toEqual({ scheme: 'basic' });
  });

  it.each([undefined, '', 'Negotiate', 'Bearer', 'Bearer realm="no address"'])('%s is nothing that Kiln knows', (header) => {
    expect(() => parseChallenge(header, { host: 'registry.example.com' })).toThrow(/names no way to authenticate/);
  }); // prettier-ignore
});

describe('a token service', () => {
  const behind = async (answer: string, status = 200) => {
    let asked = 0;
    const registry = await serve((req, res) => {
      if (req.url?.startsWith('/token')) {
        asked += 1;
        return void res.writeHead(status, { 'content-type': 'application/json' }).end(answer);
      }
      const { authorization, host } = req.headers;
      if (authorization === 'Bearer good') return void res.writeHead(404).end();
      res.writeHead(401, { 'www-authenticate': `Bearer realm="http://${host}/token",service="s"` }).end();
    });
    return { ...registry, asked: () => asked };
  };

  it.each([
    ['token', '{"token":"good"}'],
    ['access_token', '{"access_token":"good"}'],
    ['a token that is null', '{"token":null,"access_token":"good","expires_in":null}'],
    ['an empty token', '{"token":"","access_token":"good"}'],
    ['figures in quotes', '{"token":"good","expires_in":"3600","issued_at":null}'],
    ['a figure that is none', '{"token":"good","expires_in":"soon"}'],
    ['no time at all', '{"token":"good","expires_in":0}'],
  ])('answers with %s', async (_what, answer) => {
    const { host } = await behind(answer);
    expect(await http(host).headManifest('a/b', 'c')).toBeUndefined();
  });

  it('is not asked again while its token holds, also when the time is in quotes', async () => {
    const { host, asked } = await behind('{"token":"good","expires_in":"3600"}');
    for (let n = 0; n < 3; n += 1) await http(host).headManifest('a/b', 'c');
    expect(asked()).toBe(1);
  });

  it.each([['no JSON', '<html>sign in</html>'], ['no object', '[]'], ['no token', '{}'], ['another kind of token', '{"token":{"a":1}}']])('that answers %s is told of in words', async (_what, answer) => {
    const { host } = await behind(answer);
    const { code, message } = await problem(http(host).headManifest('a/b', 'c'));
    expect(code).toBe('RegistryUnreachable');
    expect(message).toBe(`registry ${host} cannot be asked: token service ${host} answers without a token`);
  }); // prettier-ignore
});

describe('a blob', () => {
  const blob = Buffer.from('0123456789');
  const digest = sha256Digest(blob);
  const whole: RequestListener = (_req, res) => void res.writeHead(200, { 'content-length': 10 }).end(blob);

  it.each<[string, RequestListener, RequestListener, number | undefined]>([
    ['HEAD without a length', (_req, res) => void res.end(), (_req, res) => void res.writeHead(206, { 'content-range': 'bytes 0-0/10', 'content-length': 1 }).end('0'), 10],
    ['405 to HEAD', (_req, res) => void res.writeHead(405).end(), whole, 10],
    ['501 to HEAD', (_req, res) => void res.writeHead(501).end(), whole, 10],
    ['no length in either', (_req, res) => void res.writeHead(405).end(), (_req, res) => { res.write('0123'); res.end('456789'); }, undefined],
    ['a length that is none', (_req, res) => void res.writeHead(405).end(), (_req, res) => void res.writeHead(206, { 'content-range': 'bytes 0-0/*' }).end('0'), undefined],
  ])('%s: it is there', async (_what, head, get, size) => {
    const { host } = await serve((req, res) => (req.method === 'HEAD' ? head : get)(req, res));
    expect(await http(host).headBlob('a/b', digest)).toEqual({ size });
  }); // prettier-ignore

  it('of a registry that does not delete is left there, at the first answer', async () => {
    const { host, seen } = await serve((_req, res) => void res.writeHead(501).end());
    expect(await http(host).deleteManifest('a/b', sha256Digest(Buffer.from('x')))).toBe(false);
    expect(seen.length).toBe(1);
  });

  it('that neither HEAD nor GET finds is not there', async () => {
    const { host } = await serve((req, res) => void res.writeHead(req.method === 'HEAD' ? 405 : 404).end());
    expect(await http(host).headBlob('a/b', digest)).toBeUndefined();
  });

  it('behind a link that is for GET alone is there', async () => {
    const storage = await serve((req, res) =>
      req.method === 'HEAD' ? void res.writeHead(403).end() : whole(req, res),
    );
    const { host } = await serve(
      (_req, res) => void res.writeHead(307, { location: `http://${storage.host}/x` }).end(),
    );
    expect(await http(host).headBlob('a/b', digest)).toEqual({ size: 10 });
  });

  it('behind a link that has run out is asked for anew', async () => {
    let asked = 0;
    const storage = await serve((req, res) => {
      asked += 1;
      return asked === 1 ? void res.writeHead(403).end() : whole(req, res);
    });
    const { host } = await serve(
      (_req, res) => void res.writeHead(307, { location: `http://${storage.host}/x` }).end(),
    );
    expect(await http(host).getBlob('a/b', digest, 100)).toEqual(blob);
  });
});

describe('an answer that is neither yes nor later', () => {
  it.each([
    ['409', 409, '{"errors":[{"code":"DENIED","message":"tag v1 is immutable"}]}', 'DENIED: tag v1 is immutable'],
    ['412 without a code', 412, '{"errors":[{"message":"The tag is\\nimmutable\\u0007"}]}', 'The tag is immutable'],
    ['400 of another shape', 400, '<html>no</html>', ''],
  ])('%s is a refusal in its own words, at the first try', async (_what, status, body, words) => {
    const { host, seen } = await serve((_req, res) => void res.writeHead(status).end(body));
    const manifest = { bytes: Buffer.from('{}'), digest: sha256Digest(Buffer.from('{}')), mediaType: 'x/y' };
    expect(await problem(http(host).putManifest('a/b', 'v1', manifest))).toEqual({
      code: 'RegistryRefused',
      message: `registry ${host} answers ${status} to PUT /v2/a/b/manifests/v1${words && `: ${words}`}`,
    });
    expect(seen).toHaveLength(1);
  });

  it('429 is asked again when its Retry-After is over, and not before', async () => {
    const times: number[] = [];
    const { host } = await serve((_req, res) => {
      times.push(performance.now());
      if (times.length === 1) res.writeHead(429, { 'retry-after': '1' }).end();
      else res.writeHead(404).end();
    });
    expect(await http(host).headManifest('a/b', 'c')).toBeUndefined();
    expect((times[1] ?? 0) - (times[0] ?? 0)).toBeGreaterThan(950);
  });

  it('a registry that wants to be left alone for long is left alone, and the error says for how long', async () => {
    const { host, seen } = await serve((_req, res) =>
      res.writeHead(429, { 'retry-after': '3600' }).end('{"errors":[{"code":"TOOMANYREQUESTS","message":"pull rate limit"}]}'),
    ); // prettier-ignore
    const error = await http(host).getManifest('a/b', 'c').catch((it: unknown) => it); // prettier-ignore
    expect(error).toMatchObject({
      code: 'RegistryUnreachable',
      message: `registry ${host} cannot be asked: it answers 429 to GET /v2/a/b/manifests/c: TOOMANYREQUESTS: pull rate limit; it asks to be left alone for 3600 s`,
      details: { retryAfterMs: 3_600_000 },
    });
    expect(seen).toHaveLength(1);
  });
});

describe('an index', () => {
  const indexType = 'application/vnd.oci.image.index.v1+json';
  const manifestType = 'application/vnd.oci.image.manifest.v1+json';
  const layerType = 'application/vnd.oci.image.layer.v1.tar+gzip';
  const configType = 'application/vnd.oci.image.config.v1+json';
  const documents = new Map<string, { bytes: Buffer; type: string }>();
  const put = (value: object | string, type: string) => {
    const bytes = Buffer.from(typeof value === 'string' ? value : JSON.stringify(value));
    documents.set(sha256Digest(bytes), { bytes, type });
    return { mediaType: type, digest: sha256Digest(bytes), size: bytes.length };
  };
  const layer = put('layer', layerType);
  const image = (architecture: string, more: object = {}) => {
    const rootfs = { type: 'layers', diff_ids: [layer.digest] };
    const config = put({ os: 'linux', architecture, rootfs }, configType);
    return put({ schemaVersion: 2, config, layers: [layer], ...more }, manifestType);
  };
  const of = (architecture: string) => ({ platform: { os: 'linux', architecture } });
  const index = (...manifests: object[]) => put({ schemaVersion: 2, manifests }, indexType);
  const chart = put(
    { schemaVersion: 2, config: put({ name: 'chart' }, 'application/vnd.cncf.helm.config.v1+json'), layers: [] },
    manifestType,
  );
  const signature = image('', { layers: [put('{}', 'application/vnd.dev.cosign.simplesigning.v1+json')] });
  const sbom = put(
    { schemaVersion: 2, artifactType: 'application/spdx+json', config: put({}, 'application/vnd.oci.empty.v1+json'), layers: [put('{}', 'text/plain')] },
    manifestType,
  ); // prettier-ignore
  const amd64 = image('amd64');
  const arm64 = image('arm64');
  const deep = (levels: number): object => (levels === 0 ? { ...amd64, ...of('amd64') } : index(deep(levels - 1)));

  let host = '';
  let tagged = '';
  beforeAll(async () => {
    ({ host } = await serve((req, res) => {
      const reference = req.url?.split('/').at(-1) ?? '';
      const found = documents.get(reference === 'tag' ? tagged : reference);
      if (!found) return void res.writeHead(404).end();
      res.writeHead(200, { 'content-type': found.type, 'content-length': found.bytes.length });
      res.end(req.method === 'HEAD' ? undefined : found.bytes);
    }));
  });
  const verify = (what: object, arch?: string) => {
    tagged = (what as { digest: string }).digest;
    return verifyImage(http(host), 'a/b', 'tag', arch);
  };

  it.each<[string, () => object, string[]]>([
    ['an index inside', () => index(index({ ...arm64, ...of('arm64') }), { ...amd64, ...of('amd64') }), ['linux/arm64', 'linux/amd64']],
    ['an index two levels down', () => deep(3), ['linux/amd64']],
    ['an attestation', () => index({ ...amd64, ...of('amd64') }, { ...signature, platform: { os: 'unknown', architecture: 'unknown' } }), ['linux/amd64']],
    ['an artifact', () => index({ ...amd64, ...of('amd64') }, { ...sbom, artifactType: 'application/spdx+json' }), ['linux/amd64']],
    ['artifacts of which it says nothing', () => index(chart, sbom, signature, { ...amd64, ...of('amd64') }), ['linux/amd64']],
    ['what nobody knows', () => index({ ...layer, mediaType: 'application/x-other' }, { ...amd64, ...of('amd64') }), ['linux/amd64']],
    ['an entry without platform that is gone', () => index({ ...amd64, digest: `sha256:${'0'.repeat(64)}` }, { ...amd64, ...of('amd64') }), ['linux/amd64']],
    ['an image without platform', () => index(amd64), ['linux/amd64']],
    ['the same image twice', () => index({ ...amd64, ...of('amd64') }, { ...amd64, ...of('amd64') }), ['linux/amd64']],
  ])('with %s is read', async (_what, make, platforms) => {
    expect((await verify(make(), 'X86_64')).platforms).toEqual(platforms);
  }); // prettier-ignore

  it.each<[string, () => object, string, RegExp]>([
    ['indexes four deep', () => deep(4), 'ManifestInvalid', /more than 3 deep/],
    ['a hundred and one manifests in several indexes', () => index(...[1, 2].map((n) => index(...Array.from({ length: 55 }, (_, m) => image(`a${n}-${m}`))))), 'ManifestInvalid', /more than 100 manifests/],
    ['nothing but artifacts', () => index(chart, sbom), 'ArchMismatch', /is for no platform/],
    ['a platform that is not wanted alone', () => index({ ...arm64, ...of('arm64') }), 'ArchMismatch', /is for linux\/arm64, not for X86_64 \(amd64\)/],
    ['an image that it names and that is gone', () => index({ ...amd64, digest: `sha256:${'0'.repeat(64)}`, ...of('amd64') }), 'BlobMissing', /does not hold manifest/],
  ])('with %s is refused', async (_what, make, code, words) => {
    const found = await problem(verify(make(), 'X86_64'));
    expect(found.code).toBe(code);
    expect(found.message).toMatch(words);
  }); // prettier-ignore

  it.each<[string, object, string]>([
    ['a chart', chart, 'application/vnd.cncf.helm.config.v1+json'],
    ['an SBOM', sbom, 'application/spdx+json'],
    ['a signature', signature, 'application/vnd.dev.cosign.simplesigning.v1+json'],
    ['an index of another type', put({ schemaVersion: 2, artifactType: 'application/x-bundle', manifests: [] }, indexType), 'application/x-bundle'],
  ])('and %s is called what it is', async (_what, artifact, type) => {
    expect(await problem(verify(artifact))).toEqual({
      code: 'ManifestInvalid',
      message: `${host}/a/b:tag is an artifact of type ${type}, not a container image`,
    });
  }); // prettier-ignore
});
