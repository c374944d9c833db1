import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { eventually } from '@kiln/kit/testing';
import { listRegistryConnections, putRegistryConnection } from '@kiln/persistence';
import { openRegistryFront, openTestKiln, type RegistryFront, type TestKiln } from '@kiln/stack/testing';

let kiln: TestKiln;
let front: RegistryFront;
const cacheRepository = `caches/${randomBytes(4).toString('hex')}`;
beforeAll(async () => {
  kiln = await openTestKiln();
  front = await openRegistryFront(Number(kiln.stack.registryHost.split(':')[1]));
  const options = ['--tls', 'http', '--cache-repository', cacheRepository];
  await kiln.admin(['registry', 'put', kiln.account.accountId, 'keeps', kiln.stack.registryHost, ...options]);
  const row = { accountId: kiln.account.accountId, tlsMode: 'http', cacheRepository } as const;
  await putRegistryConnection(kiln.database.db, { ...row, id: 'through-front', host: front.host });
});
afterAll(async () => {
  await kiln.stop();
  await front.close();
});

let builders = 1;
/** Puts a builder that has built nothing in the place of the one that was there. */
async function anotherBuilder() {
  await kiln.running('builder').stop();
  builders += 1;
  kiln.start('builder', { KILN_BUILDER_DIR: join(kiln.env['KILN_BUILDER_DIR'] ?? '', `../b${builders}`) });
}
const tags = async (): Promise<string[]> => {
  const answer = await fetch(`http://${kiln.stack.registryHost}/v2/${cacheRepository}/tags/list`);
  return answer.ok ? (((await answer.json()) as { tags: string[] | null }).tags ?? []) : [];
};
interface Change {
  instance?: string;
  host?: string;
  config?: Record<string, unknown>;
}
const request = (name: string, dockerfile: string, change: Change) => {
  const { instance = 'keeps', host = kiln.stack.registryHost, config = {} } = change;
  const image = { Name: `${name}-${unique()}`, Uri: `${host}/kept/${name}:${randomBytes(4).toString('hex')}` };
  const top = { TargetRegistry: { Type: 'AcrEnterprise', InstanceId: instance } };
  return kiln.buildRequest(dockerfile, { config, image, top });
};
const build = async (name: string, dockerfile: string, change: Change = {}) => {
  const { ImageBuildId } = await kiln.submit(request(name, dockerfile, change));
  const ended = await kiln.ended(ImageBuildId);
  if (ended.State !== 'succeeded') throw new Error(`${JSON.stringify(ended.Error)} ${await kiln.logs(ImageBuildId)}`);
  const results = ended.Steps.map((it: { Result: string }) => it.Result);
  return { id: ImageBuildId, results, log: await kiln.logs(ImageBuildId) };
};
const unique = () => randomBytes(6).toString('hex');
const kept = (count: number) =>
  eventually(async () => ((await tags()).length >= count ? true : undefined), `${count} caches to be kept`);
/** What all caches are now. */
const state = async (): Promise<string> => {
  const digest = async (tag: string) => {
    const headers = { accept: 'application/vnd.oci.image.manifest.v1+json' };
    const answer = await fetch(`http://${kiln.stack.registryHost}/v2/${cacheRepository}/manifests/${tag}`, { headers });
    return answer.headers.get('docker-content-digest');
  };
  return JSON.stringify(await Promise.all((await tags()).map(digest)));
};
const keptSince = (before: string) =>
  eventually(async () => ((await state()) === before ? undefined : true), 'layers to be kept');
const takesCache = async (id: string) =>
  (await listRegistryConnections(kiln.database.db, kiln.account.accountId)).find((it) => it.id === id)?.takesCache;

it('uses layers of a builder that is gone, those of stages that are in no image among them', async () => {
  const early = `FROM ${kiln.base} AS tools\nRUN head -c 9 /dev/urandom > /made # ${unique()}\nFROM ${kiln.base}\nCOPY --from=tools /made /made\n`;
  const first = await build('one', `${early}RUN cat /made | od -x\n`);
  expect(first.log).toContain('none was kept yet');
  await kept(1);
  await anotherBuilder();
  const second = await build('one', `${early}RUN cat /made | od -x && true\n`);
  expect(second.log).toMatch(/\d layers of earlier builds are in/);
  expect(second.results).toEqual(['ok', 'ok', 'cached', 'cached', 'ok']);
  const printed = (log: string) => /0000000 .*/.exec(log)?.[0];
  expect(printed(second.log)).toBe(printed(first.log));
  // Of what another repository's cache gave, the builder may have no more than the names of layers: those it makes.
  const other = await build('other', `${early}COPY --from=tools /made /again\nRUN test -s /made -a -s /again\n`);
  expect(other.log).toContain('none was kept yet');
  await kept(2);
});

const ofCache = (path: string) => path.includes(`/${cacheRepository}/`);
const isManifestOfCache = (method: string, path: string) =>
  method === 'PUT' && ofCache(path) && path.includes('/manifests/');

it('keeps layers of what has succeeded, and of that what is new', async () => {
  const through = { instance: 'through-front', host: front.host };
  const dockerfile = `FROM ${kiln.base}\nRUN echo ${unique()}\n`;
  // The image's tag is refused after the push: that image is in no catalogue.
  const isTag = (method: string, path: string) =>
    method === 'PUT' && /\/kept\/lost\/manifests\/[0-9a-f]{8}$/.test(path);
  const refused = front.next({ kind: 'status', status: 400 }, isTag, 1);
  const lost = await kiln.submit(request('lost', dockerfile, through));
  expect(await kiln.ended(lost.ImageBuildId)).toMatchObject({ State: 'failed' });
  expect(refused()).toBe(1);
  await build('two', dockerfile, through);
  await kept(3);
  expect(await tags()).toHaveLength(3);

  const before = await state();
  await build('two', dockerfile, through);
  const anew = await build('two', dockerfile, { ...through, config: { NoCache: true } });
  expect(anew.log).not.toContain('earlier builds');
  await keptSince(before);
});

it.each([404, 503])('builds without them when they go while it runs, and the registry answers %i', async (status) => {
  const through = { instance: 'through-front', host: front.host };
  const dockerfile = `FROM ${kiln.base}\nRUN echo ${unique()} > /x\n`;
  const before = await state();
  await build('two', dockerfile, through);
  await keptSince(before);
  await anotherBuilder();
  // First comes what tells which layers there are.
  let blobs = 0;
  let isOver = false;
  const isLayer = (method: string, path: string) =>
    !isOver && method === 'GET' && ofCache(path) && path.includes('/blobs/') && (blobs += 1) > 1;
  const between = await state();
  const gone = front.next({ kind: 'status', status }, isLayer, 10);
  const { id, log } = await build('two', `${dockerfile}RUN cat /x\n`, through);
  expect(gone()).toBeGreaterThan(0);
  expect(log).toContain('building without layers of earlier builds');
  const { body } = await kiln.pai('GET', `/api/v1/imagebuilds/${id}`);
  expect(body.Attempts).toHaveLength(1);
  await keptSince(between);
  isOver = true;
});

it('builds without them when some are missing, and offers no more to a registry that refuses them', async () => {
  const through = { instance: 'through-front', host: front.host };
  const dockerfile = `FROM ${kiln.base}\nRUN echo ${unique()}\n`;
  await anotherBuilder();
  const gone = front.next({ kind: 'status', status: 404 }, (method, path) => method === 'HEAD' && ofCache(path), 1);
  const refused = front.next({ kind: 'status', status: 400 }, isManifestOfCache, 1);
  expect((await build('two', dockerfile, through)).log).toMatch(/does not hold 1 of \d any more/);
  expect(gone()).toBe(1);
  await eventually(async () => (await takesCache('through-front')) === false || undefined, 'the refusal to be known');
  expect(refused()).toBe(1);
  expect((await build('two', dockerfile, through)).log).not.toContain('earlier builds');
  const { body } = await kiln.pai('GET', '/api/v1/access');
  const shown = body.Registries.find(({ InstanceId }: { InstanceId: string }) => InstanceId === 'keeps');
  expect(shown).toMatchObject({ CacheRepository: cacheRepository });
});
