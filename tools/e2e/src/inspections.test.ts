import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { eventually } from '@kiln/kit/testing';
import { root } from '@kiln/stack';
import { openTestKiln, type TestKiln } from '@kiln/stack/testing';

let kiln: TestKiln;
beforeAll(async () => {
  kiln = await openTestKiln();
});
afterAll(() => kiln.stop());

/** A notebook's image but for Jupyter and sshd, of files that only look like what they are. */
const dockerfile = () => `FROM ${kiln.base}
RUN mkdir -p /etc /home/ma-user /usr/lib/python3/dist-packages/torch-2.6.0+cu124.dist-info && \\
    echo 'root:x:0:0:root:/root:/bin/sh' > /etc/passwd && echo 'ma-user:x:1000:100::/home/ma-user:/bin/sh' >> /etc/passwd && \\
    echo 'ma-group:x:100:' > /etc/group && chown 1000:100 /home/ma-user && \\
    printf 'ID=debian\\nVERSION_ID="12"\\nPRETTY_NAME="Debian 12"\\n' > /etc/os-release
RUN touch /usr/lib/python3/dist-packages/torch-2.6.0+cu124.dist-info/METADATA
RUN mkdir -p /root/.ssh && echo '-----BEGIN OPENSSH PRIVATE KEY-----' > /root/.ssh/id_rsa
ENV PYTHONUNBUFFERED=1
USER ma-user
WORKDIR /home/ma-user
EXPOSE 8080
CMD ["sh"]
`;
const read = async (path: string) => {
  const { status, body } = await kiln.pai('GET', path);
  if (status !== 200) throw new Error(JSON.stringify(body));
  return ['waiting', 'reading'].includes(body.State as string) ? undefined : body;
};
const cli = (...args: string[]) => {
  try {
    const env = { ...process.env, KILN_URL: kiln.url, KILN_TOKEN: kiln.account.token };
    return {
      code: 0,
      out: execFileSync('node', [join(root, 'apps/cli/kiln.mjs'), ...args], { env, encoding: 'utf8', stdio: 'pipe' }),
    };
  } catch (error) {
    const { status, stdout, stderr } = error as { status: number; stdout: string; stderr: string };
    return { code: status, out: stdout + stderr };
  }
};
let imageId: string;

it('reads an image that it has built: facts, packages with the lines that brought them, keys by their path', async () => {
  const { ImageBuildId } = await kiln.submit(kiln.buildRequest(dockerfile()));
  const build = await kiln.ended(ImageBuildId);
  expect(build.State).toBe('succeeded');
  imageId = build.ImageId;
  const facts = await eventually(() => read(`/api/v1/images/${imageId}/facts`), 'facts');
  expect(facts).toMatchObject({
    State: 'done',
    Platform: 'linux/amd64',
    Facts: {
      Os: { Id: 'debian', Version: '12' },
      User: 'ma-user',
      Ports: ['8080/tcp'],
      Frameworks: [{ Name: 'torch', Version: '2.6.0+cu124', Cuda: '12.4' }],
      Secrets: [{ Path: '/root/.ssh/id_rsa', Kind: 'SSH key' }],
      Architectures: ['amd64'],
      Incomplete: false,
    },
    Profiles: [],
  });
  const { body } = await kiln.pai('GET', `/api/v1/images/${imageId}/packages`);
  expect(body.Packages).toEqual([
    {
      Type: 'pypi',
      Name: 'torch',
      Version: '2.6.0+cu124',
      Layer: expect.any(Number) as number,
      Instruction: expect.stringContaining('RUN touch') as string,
    },
  ]);
  expect(
    (await kiln.pai('GET', `/api/v1/images/${imageId}/facts`, { query: { Profiles: 'nobody' } })).body,
  ).toMatchObject({
    Code: 'ProfileNotFound',
    Message: expect.stringContaining('modelarts-training') as string,
  });
});

it('fills PAI’s labels from the facts, and tells which ones of a user they deny', async () => {
  const labels = Object.fromEntries(
    (await kiln.pai('GET', `/api/v1/images/${imageId}`, { query: { Verbose: 'true' } })).body.Labels.map((it: any) => [
      it.Key,
      it.Value,
    ]),
  );
  expect(labels).toMatchObject({
    'system.chipType': 'GPU',
    'system.dsw.cudaVersion': '12.4',
    'system.dsw.os': 'debian',
    'system.dsw.osVersion': '12',
    'system.framework': 'PyTorch 2.6.0',
  });
  const body = {
    Name: 'claims',
    ImageUri: (await kiln.pai('GET', `/api/v1/images/${imageId}`)).body.ImageUri as string,
    WorkspaceId: kiln.account.workspaceId,
    Labels: [
      { Key: 'system.dsw.cudaVersion', Value: '11.8' },
      { Key: 'system.framework', Value: 'PyTorch 2.6' },
      { Key: 'system.supported.eas', Value: 'true' },
    ],
  };
  const { ImageId } = (await kiln.pai('POST', '/api/v1/images', { body })).body;
  const facts = await eventually(async () => {
    const found = await kiln.pai('GET', `/api/v1/images/${ImageId}/facts`);
    return found.status === 200 ? found.body : undefined;
  }, 'facts');
  // The same digest has been read before.
  expect(facts).toMatchObject({
    State: 'done',
    Denied: [{ Key: 'system.dsw.cudaVersion', Claimed: '11.8', Found: '12.4' }],
    Profiles: [{ Profile: 'pai-eas', Verdict: 'fail' }],
  });
  await kiln.pai('DELETE', `/api/v1/images/${ImageId}`);
});

it('tells in what an image differs from the one of its repository before it', async () => {
  const first = (await kiln.pai('GET', `/api/v1/images/${imageId}`)).body;
  const made = kiln.buildRequest(`${dockerfile().replaceAll('2.6.0+cu124', '2.7.0+cu126')}ENV A=b\n`);
  const uri = (first.ImageUri as string).replace(/:[^:/]*$/, ':v2');
  const { ImageBuildId } = await kiln.submit({ ...made, Image: { ...made.Image, Uri: uri } });
  const { ImageId } = await kiln.ended(ImageBuildId);
  await eventually(() => read(`/api/v1/images/${ImageId}/facts`), 'facts');
  const path = `/api/v1/images/${ImageId}/comparison`;
  const { body } = await kiln.pai('GET', path);
  expect(body).toMatchObject({
    Previous: expect.stringContaining(first.Digest as string) as string,
    Packages: [{ Name: 'pypi torch', Now: '2.7.0+cu126', Before: '2.6.0+cu124' }],
    Facts: [
      { Name: 'env A', Now: 'b' },
      { Name: 'framework torch', Now: '2.7.0+cu126 (CUDA 12.6)', Before: '2.6.0+cu124 (CUDA 12.4)' },
    ],
    // That of the base, and the empty one of WORKDIR.
    SharedLayers: 2,
    Incomplete: false,
  });
  expect(body.PreviousLayers.length).toBeGreaterThan(1);
  expect((await kiln.pai('GET', path, { query: { With: ImageId } })).body).toMatchObject({ Packages: [], Facts: [] });
  expect((await kiln.pai('GET', `/api/v1/images/${imageId}/comparison`)).body).toMatchObject({
    Code: 'ImageNotFound',
    Message: expect.stringContaining('name one by With') as string,
  });
  await kiln.pai('DELETE', `/api/v1/images/${ImageId}`);
});

it('finds images by their packages and versions', async () => {
  const search = async (query: string) => (await kiln.pai('GET', '/api/v1/packages', { query: { Query: query } })).body;
  const found = {
    TotalCount: 1,
    Images: [{ ImageId: imageId, Packages: [{ Name: 'torch', Version: '2.6.0+cu124' }] }],
  };
  for (const query of ['torch', 'Torch >= 2.6', 'torch=2', 'torch=2.6', 'torch==2.6.0', 'torch<2.10', 'torch<=2.6'])
    expect([query, await search(query)]).toMatchObject([query, found]);
  for (const query of ['torch<2.6', 'torch>2.6', 'torch=2.5', 'torch==2.6.1', 'tor', 'torch, numpy'])
    expect([query, await search(query)]).toMatchObject([query, { TotalCount: 0 }]);
  expect((await search('torch, debian=12, cuda=12.4')).TotalCount).toBe(1);
  expect((await search('torch; drop table')).Code).toBe('InvalidParameter');
});

it('holds it against what platforms ask, with the lines that mend it, in the api and by kiln verify', async () => {
  const { body } = await kiln.pai('GET', `/api/v1/images/${imageId}/facts`, {
    query: { Profiles: 'modelarts-notebook,pai-eas' },
  });
  const [notebook, eas] = body.Profiles as any[];
  const of = (profile: any, rule: string) => profile.Checks.find((it: any) => it.Rule === rule);
  expect(notebook.Verdict).toBe('fail');
  expect(of(notebook, 'M2')).toMatchObject({ Result: 'pass' });
  expect(of(notebook, 'M16a')).toMatchObject({ Result: 'fail', Fix: ['RUN pip install --no-cache-dir jupyterlab'] });
  expect(of(notebook, 'M14')).toMatchObject({ Result: 'pass' });
  expect(of(eas, 'P1')).toMatchObject({ Result: 'fail', Found: 'it exposes 8080, which the platform uses itself' });
  const shown = cli('verify', imageId, '--profile', 'pai-eas');
  expect(shown.code).toBe(3);
  expect(shown.out).toContain('PAI EAS: fails');
  expect(shown.out).toContain('EXPOSE 8000');
  expect(shown.out).toContain('/root/.ssh/id_rsa looks like a key');
});

it('reads an image that is in no catalogue, and says what it cannot read', () => {
  const shown = cli('verify', kiln.base, '--profile', 'pai-dsw,dataworks', '-o', 'json');
  expect(shown.out).toMatch(/^{/);
  const found = JSON.parse(shown.out);
  expect(found.Profiles.map((it: any) => it.Profile)).toEqual(['dataworks', 'pai-dsw']);
  expect(shown.code).toBe(3);
  const missing = cli('verify', `${kiln.stack.registryHost}/no/such:v1`, '--profile', 'pai-dsw');
  expect(missing).toMatchObject({ code: 3, out: expect.stringContaining('there is no image') as string });
  expect(cli('verify', kiln.base)).toMatchObject({
    code: 2,
    out: expect.stringContaining('--profile is missing') as string,
  });
  expect(cli('profiles').out).toContain('modelarts-training');
});
