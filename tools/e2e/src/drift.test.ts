import { eventually } from '@kiln/kit/testing';
import { pushImage } from '@kiln/stack/client';
import { openTestKiln, type TestKiln } from '@kiln/stack/testing';

let kiln: TestKiln;
let registry: string;
beforeAll(async () => {
  // Asks often, so that what has changed is soon seen.
  kiln = await openTestKiln({ env: { KILN_TAG_CHECK_S: '1', KILN_TAG_CHECKS_PER_MINUTE: '6000' } });
  registry = `http://${kiln.stack.registryHost}/v2`;
});
afterAll(() => kiln.stop());

const policy = async (ErrorOnDrift: string) => {
  const path = `/api/v1/workspaces/${kiln.account.workspaceId}/policy`;
  expect((await kiln.pai('PUT', path, { body: { Mode: 'off', Attest: 'off', ErrorOnDrift } })).body).toMatchObject({
    ErrorOnDrift,
  });
};
const build = async (dockerfile: string, uri?: string) => {
  const made = kiln.buildRequest(dockerfile);
  const Image = uri === undefined ? made.Image : { ...made.Image, Uri: uri };
  const { ImageBuildId } = await kiln.submit({ ...made, Image, OverwriteImageTag: true });
  const ended = await kiln.ended(ImageBuildId);
  expect(ended.State).toBe('succeeded');
  const [, repository = ''] = /^[^/]+\/(.*):v1$/.exec(Image.Uri) ?? [];
  return { id: ended.ImageId as string, uri: Image.Uri, digest: ended.Digest as string, repository };
};
const image = async (id: string) => (await kiln.pai('GET', `/api/v1/images/${id}`)).body;
const drifted = async (query: Record<string, string> = {}) =>
  (await kiln.pai('GET', '/api/v1/drift', { query })).body.Images as any[];
const until = <T>(found: () => Promise<T | undefined>, what: string) => eventually(found, what, 30_000);
const driftOf = (id: string, kind: string) =>
  until(async () => (await drifted({ Kind: kind })).find((it) => it.ImageId === id) as object | undefined, kind);
const isAsItWas = (id: string) =>
  until(async () => ((await drifted()).some((it) => it.ImageId === id) ? undefined : true), 'the end of the drift');
const eventsOf = async (id: string, type: string) =>
  (
    (await kiln.pai('GET', '/api/v1/events', { query: { After: 'start', Types: type, Limit: '500' } })).body
      .Events as any[]
  ).filter((it) => it.data.ImageId === id);
const manifest = (repository: string, digest: string) => `${registry}/${repository}/manifests/${digest}`;
const types = { accept: 'application/vnd.oci.image.manifest.v1+json' };
const tagAs = async (repository: string, digest: string) => {
  const bytes = await (await fetch(manifest(repository, digest), { headers: types })).text();
  const headers = { 'content-type': types.accept };
  expect((await fetch(manifest(repository, 'v1'), { method: 'PUT', headers, body: bytes })).status).toBe(201);
};

it('notes that a tag was moved by somebody else, and that it is as it was', async () => {
  await policy('none');
  const made = await build(`FROM ${kiln.base}\nRUN echo 1 > /one\n`);
  const pushed = await pushImage(kiln.stack.registryHost, made.repository, 'v1', 'amd64');
  expect(await driftOf(made.id, 'moved')).toMatchObject({
    Status: 'ACTIVE',
    Digest: made.digest,
    Drift: { Kind: 'moved', Digest: pushed.digest },
    Stale: false,
  });
  expect(await image(made.id)).toMatchObject({
    Status: 'ACTIVE',
    StatusMessage: `its tag names ${pushed.digest} now`,
  });
  await tagAs(made.repository, made.digest);
  await isAsItWas(made.id);
  expect(await image(made.id)).toMatchObject({ Status: 'ACTIVE', StatusMessage: '' });
  const events = await until(async () => {
    const found = await eventsOf(made.id, 'image.drifted');
    return found.length === 2 ? found : undefined;
  }, 'two events');
  expect(events.map((it) => it.data.Drift)).toEqual([{ Kind: 'moved', Digest: pushed.digest }, undefined]);
});

it('puts an image that is gone in ERROR, and brings it back with what is pushed again', async () => {
  await policy('gone');
  const made = await build(`FROM ${kiln.base}\nRUN echo 2 > /two\n`);
  const bytes = await (await fetch(manifest(made.repository, made.digest), { headers: types })).text();
  expect((await fetch(manifest(made.repository, made.digest), { method: 'DELETE' })).status).toBe(202);
  expect(await driftOf(made.id, 'gone')).toMatchObject({ Status: 'ERROR', Drift: { Kind: 'gone' } });
  expect(await image(made.id)).toMatchObject({
    Status: 'ERROR',
    StatusMessage: 'the registry no longer has it',
  });
  const headers = { 'content-type': types.accept };
  await fetch(manifest(made.repository, 'v1'), { method: 'PUT', headers, body: bytes });
  await isAsItWas(made.id);
  await until(async () => ((await image(made.id)).Status === 'ACTIVE' ? true : undefined), 'ACTIVE');
});

it('puts an image of which the tag was moved in ERROR where the policy says so, until it is synchronized', async () => {
  await policy('any');
  const pushed = await pushImage(kiln.stack.registryHost, 'drift/outside', 'v1', 'amd64');
  const path = `/v1/${kiln.account.projectId}/images`;
  const { body } = await kiln.modelarts('POST', path, {
    body: { swr_path: `${kiln.stack.registryHost}/drift/outside:v1` },
  });
  const shown = async () => (await kiln.modelarts('GET', `${path}/${body.id}`)).body;
  await until(async () => ((await shown()).status === 'ACTIVE' ? true : undefined), 'ACTIVE');
  const other = await pushImage(kiln.stack.registryHost, 'drift/outside', 'v1', 'amd64', undefined, ' again');
  expect(other.digest).not.toBe(pushed.digest);
  await until(async () => ((await shown()).status === 'ERROR' ? true : undefined), 'ERROR');
  expect((await kiln.modelarts('POST', `${path}/${body.id}/sync`)).status).toBe(200);
  await until(async () => ((await shown()).status === 'ACTIVE' ? true : undefined), 'ACTIVE');
  expect((await drifted()).map((it) => it.Digest)).not.toContain(pushed.digest);
});

it('does not call an earlier build of a tag drifted when a later one has it', async () => {
  const first = await build(`FROM ${kiln.base}\nRUN echo 3 > /three\n`);
  const second = await build(`FROM ${kiln.base}\nRUN echo 4 > /four\n`, first.uri);
  const asked = async () => {
    const text = 'SELECT asked_at FROM watched_tags WHERE reference = $1 AND digest = $2';
    return (await kiln.database.db.$client.query(text, [first.uri, second.digest])).rowCount === 1 ? true : undefined;
  };
  await until(asked, 'the answer of the registry');
  expect((await drifted()).map((it) => it.ImageId)).not.toContain(first.id);
});

it('marks an image as stale once its base has a newer one, also where the catalogue does not have the base', async () => {
  const forget = (id: string) => kiln.pai('DELETE', `/api/v1/images/${id}`);
  const old = await build(`FROM ${kiln.base}\nRUN echo 5 > /five\n`);
  await forget(old.id);
  const made = await build(`FROM ${old.uri}\nRUN echo 6 > /six\n`);
  expect((await kiln.pai('GET', `/api/v1/images/${made.id}/bases`)).body.Stale).toBe(false);
  const newer = await build(`FROM ${kiln.base}\nRUN echo 7 > /seven\n`, old.uri);
  await forget(newer.id);
  expect(await driftOf(made.id, 'stale')).toMatchObject({ Status: 'ACTIVE', Stale: true });
  const bases = (await kiln.pai('GET', `/api/v1/images/${made.id}/bases`)).body;
  expect(bases).toMatchObject({ Stale: true });
  expect(bases.Bases.find((it: any) => it.Name === old.uri)).toMatchObject({ LatestDigest: newer.digest });
  await until(async () => ((await eventsOf(made.id, 'image.stale')).length === 1 ? true : undefined), 'an event');
});

it('forgets tags that nothing has any more', async () => {
  const made = await build(`FROM ${kiln.base}\nRUN echo 5 > /five\n`);
  const known = async () =>
    (await kiln.database.db.$client.query('SELECT FROM watched_tags WHERE reference = $1', [made.uri])).rowCount;
  expect(await known()).toBe(1);
  expect((await kiln.pai('DELETE', `/api/v1/images/${made.id}`)).status).toBe(200);
  await until(async () => ((await known()) === 0 ? true : undefined), 'the end of the tag');
});
