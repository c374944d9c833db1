import { openTestKiln, type TestKiln } from '@kiln/stack/testing';

let kiln: TestKiln;
beforeAll(async () => {
  kiln = await openTestKiln();
});
afterAll(() => kiln.stop());

const build = async (dockerfile: string, uri?: string) => {
  const made = kiln.buildRequest(dockerfile);
  const Image = uri === undefined ? made.Image : { ...made.Image, Uri: uri };
  const { ImageBuildId } = await kiln.submit({ ...made, Image, OverwriteImageTag: true });
  const ended = await kiln.ended(ImageBuildId);
  expect(ended.State).toBe('succeeded');
  return { id: ended.ImageId as string, uri: Image.Uri, digest: ended.Digest as string };
};
const get = async (path: string) => (await kiln.pai('GET', path)).body;

it('tells what an image stands on, what stands on it, and that a base has a newer image', async () => {
  const base = await build(`FROM ${kiln.base}\nRUN echo 1 > /one\n`);
  const middle = await build(`FROM ${base.uri}\nRUN echo 2 > /two\n`);
  const other = await build(`FROM ${kiln.base}\nCOPY --from=${base.uri} /one /\n`);
  const top = await build(`FROM ${middle.uri}\nRUN echo 3 > /three\n`);

  const repository = (it: typeof base) => it.uri.slice(0, it.uri.lastIndexOf(':'));
  const bases = await get(`/api/v1/images/${top.id}/bases`);
  expect(bases).toMatchObject({
    Stale: false,
    Bases: [
      { Name: middle.uri, Image: `${repository(middle)}@${middle.digest}`, Depth: 1, Entry: { ImageId: middle.id } },
      { Name: base.uri, Depth: 2, Platform: 'linux/amd64', Entry: { ImageId: base.id } },
      { Name: kiln.base, Depth: 3 },
    ],
  });
  const dependents = await get(`/api/v1/images/${base.id}/dependents`);
  expect(dependents.TotalCount).toBe(3);
  expect(dependents.Dependents.map((it: any) => [it.ImageId, it.Depth])).toEqual([
    [other.id, 1],
    [middle.id, 1],
    [top.id, 2],
  ]);
  expect((await get(`/api/v1/images/${top.id}/dependents`)).TotalCount).toBe(0);

  const renewed = await build(`FROM ${kiln.base}\nRUN echo 4 > /one\n`, base.uri);
  const stale = await get(`/api/v1/images/${top.id}/bases`);
  expect(stale.Stale).toBe(true);
  expect(stale.Bases[1]).toMatchObject({
    Entry: { ImageId: base.id, Digest: base.digest },
    Newer: { ImageId: renewed.id, Digest: renewed.digest },
  });
  // What stands on the old one still does.
  expect((await get(`/api/v1/images/${renewed.id}/dependents`)).TotalCount).toBe(0);
  expect((await get(`/api/v1/images/${base.id}/dependents`)).TotalCount).toBe(3);
});
