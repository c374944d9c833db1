import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from '@kiln/kit/testing';
import { root } from '@kiln/stack';
import { pushBlob } from '@kiln/stack/client';
import { openSignatureTools, openTestKiln, type SignatureTools, type TestKiln } from '@kiln/stack/testing';

let kiln: TestKiln;
let tools: SignatureTools;
beforeAll(async () => {
  [kiln, tools] = await Promise.all([openTestKiln(), openSignatureTools()]);
}, 300_000);
afterAll(async () => {
  tools.close();
  await kiln.stop();
});

const dockerfile = (more = '') => `FROM ${kiln.base}
ARG NPM_TOKEN
ARG COLOUR
ARG INDEX
RUN mkdir -p /usr/lib/python3/dist-packages/torch-2.6.0.dist-info && \\
    printf 'ID=debian\\nVERSION_ID="12"\\nPRETTY_NAME="Debian 12"\\n' > /etc/os-release
RUN touch /usr/lib/python3/dist-packages/torch-2.6.0.dist-info/METADATA
${more}`;
const policy = (change: object) =>
  kiln.pai('PUT', `/api/v1/workspaces/${kiln.account.workspaceId}/policy`, { body: { Mode: 'note', ...change } });
const build = async (text: string, change: object = {}, image: object = {}) => {
  const made = kiln.buildRequest(text);
  const BuildConfig = { ...(made as unknown as { BuildConfig: object }).BuildConfig, ...change };
  const { ImageBuildId } = await kiln.submit({ ...made, BuildConfig, Image: { ...made.Image, ...image } });
  const ended = await kiln.ended(ImageBuildId);
  return { ...ended, uri: made.Image.Uri, repository: made.Image.Uri.split(':').slice(0, -1).join(':') };
};
const attached = async (imageId: string) => (await kiln.pai('GET', `/api/v1/images/${imageId}/attestations`)).body;
const written = (imageId: string) =>
  eventually(async () => {
    const found = await attached(imageId);
    return ['done', 'failed'].includes(found.State as string) ? found : undefined;
  }, 'documents');
const document = async (imageId: string, kind: string) => {
  const { Attestations } = await attached(imageId);
  const { Digest } = Attestations.find((it: any) => it.Kind === kind);
  return (await kiln.pai('GET', `/api/v1/images/${imageId}/attestations/${Digest}`)).body;
};
const kilnVerify = (imageId: string, ...flags: string[]) => {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [join(root, 'apps/cli/kiln.mjs'), 'verify', imageId, '--attestations', ...flags],
    { env: { ...process.env, KILN_URL: kiln.url, KILN_TOKEN: kiln.account.token }, encoding: 'utf8' },
  );
  return { code: status, out: stdout + stderr };
};
const keys = async () => (await kiln.pai('GET', '/api/v1/signingkeys')).body.SigningKeys as any[];
const keyOf = async (id: string) => (await keys()).find((it) => it.KeyId === id).PublicKey as string;

it('attaches provenance, SBOMs and a signature, which cosign and oras find and verify', async () => {
  await policy({ CosignTags: true });
  const made = await build(dockerfile(), {
    BuildArgs: { NPM_TOKEN: 'abc', COLOUR: 'red', INDEX: 'https://u:geheim@pypi.example.com/simple' },
  });
  const found = await written(made.ImageId);
  expect(found).toMatchObject({ State: 'done', Image: `${made.repository}@${made.Digest}` });
  expect(found.Attestations.map((it: any) => it.Kind)).toEqual(['provenance', 'spdx', 'cyclonedx', 'signature']);
  const key = await keyOf(found.Attestations[0].KeyId);

  expect((await tools.discover(made.uri)).manifests.map((it) => it.digest).sort()).toEqual(
    found.Attestations.map((it: any) => it.Digest).sort(),
  );
  expect(await tools.verify(made.uri, key)).toMatchObject([
    { critical: { image: { 'docker-manifest-digest': made.Digest } } },
  ]);
  for (const form of ['bundle', 'tag'] as const) {
    const provenance = await tools.verifyAttestation(made.uri, key, 'slsaprovenance1', form);
    expect(provenance.subject).toEqual([{ name: made.repository, digest: { sha256: made.Digest.slice(7) } }]);
    const { buildDefinition, runDetails } = provenance.predicate;
    expect(buildDefinition.externalParameters).toMatchObject({
      image: made.uri,
      arguments: { COLOUR: 'red', NPM_TOKEN: '[hidden]', INDEX: '[hidden]' },
    });
    expect(buildDefinition.resolvedDependencies).toMatchObject([
      { name: 'Dockerfile' },
      { name: kiln.base, uri: expect.stringMatching(/^docker:\/\/.*@sha256:[0-9a-f]{64}$/) as string },
    ]);
    expect(runDetails.metadata.invocationId).toBe(made.ImageBuildId);
    const steps = JSON.parse(Buffer.from(runDetails.byproducts[0].content as string, 'base64').toString());
    expect(steps.map((it: any) => [it.number, it.keyword])).toEqual([
      [1, 'FROM'],
      [5, 'RUN'],
      [6, 'RUN'],
    ]);
    const spdx = await tools.verifyAttestation(made.uri, key, 'spdxjson', form);
    expect(spdx.predicate.packages[1]).toMatchObject({
      name: 'torch',
      versionInfo: '2.6.0',
      externalRefs: [{ referenceLocator: 'pkg:pypi/torch@2.6.0' }],
    });
    const cyclonedx = await tools.verifyAttestation(made.uri, key, 'cyclonedx', form);
    expect(cyclonedx.predicate.components).toMatchObject([
      { type: 'operating-system', name: 'debian', version: '12' },
      { name: 'torch', purl: 'pkg:pypi/torch@2.6.0' },
    ]);
  }
  expect(await document(made.ImageId, 'signature')).toMatchObject({ Verified: true });
});

it('signs with a key of the account once it has one, and verifies what both have signed', async () => {
  await policy({ CosignTags: true });
  const before = await build(dockerfile('LABEL n=1'));
  const old = (await written(before.ImageId)).Attestations[0].KeyId as string;
  const { status, body } = await kiln.pai('POST', '/api/v1/signingkeys', { body: {} });
  expect(status).toBe(201);
  const after = await build(dockerfile('LABEL n=2'));
  expect((await written(after.ImageId)).Attestations.map((it: any) => it.KeyId)).toEqual(Array(4).fill(body.KeyId));
  expect(await document(before.ImageId, 'provenance')).toMatchObject({ Verified: true, KeyId: old });
  expect(await document(after.ImageId, 'provenance')).toMatchObject({ Verified: true, KeyId: body.KeyId });
  await tools.verify(after.uri, body.PublicKey as string);

  const shown = kilnVerify(after.ImageId);
  expect(shown).toMatchObject({
    code: 0,
    out: expect.stringContaining(`✔ provenance  signed by ${body.KeyId}`) as string,
  });
  const file = join(kiln.stack.dir, `${after.ImageId}.pub`);
  writeFileSync(file, body.PublicKey as string);
  expect(kilnVerify(after.ImageId, '--key', file).code).toBe(0);
  expect(kilnVerify(before.ImageId, '--key', file)).toMatchObject({
    code: 3,
    out: expect.stringContaining('✘ provenance  none of the keys has signed it') as string,
  });
  expect(kilnVerify(after.ImageId, '--require', 'provenance,spdx').code).toBe(0);
  expect(kilnVerify(after.ImageId, '--require', 'sbom').out).toContain('--require: sbom is none of provenance, spdx');
  writeFileSync(file, 'no key');
  expect(kilnVerify(after.ImageId, '--key', file)).toMatchObject({
    code: 2,
    out: expect.stringContaining('it must be a public key in PEM') as string,
  });
  expect(kilnVerify('r/a/b:v1').out).toContain('r/a/b:v1 is no id of an image of the catalogue');
  await expect(tools.verify(after.uri, await keyOf(old))).rejects.toThrow(/invalid signature|no matching signatures/);
  expect((await kiln.pai('DELETE', `/api/v1/signingkeys/${body.KeyId}`)).status).toBe(200);
  expect((await kiln.pai('DELETE', `/api/v1/signingkeys/${body.KeyId}`)).body.Code).toBe('SigningKeyNotFound');
  const last = await build(dockerfile('LABEL n=3'));
  expect((await written(last.ImageId)).Attestations[0].KeyId).toBe(old);
  expect(await document(after.ImageId, 'provenance')).toMatchObject({ Verified: true });
  const bad = { PrivateKey: '-----BEGIN PRIVATE KEY-----\nMC4CAQ==\n-----END PRIVATE KEY-----' };
  expect((await kiln.pai('POST', '/api/v1/signingkeys', { body: bad })).body).toMatchObject({
    Code: 'InvalidParameter',
    Message: expect.stringContaining('PrivateKey') as string,
  });
});

it('has the documents there before the tag, when the policy says so, and none when it says that', async () => {
  await policy({ Attest: 'before' });
  // A label that is filled from what was read, as well.
  const Labels = [{ Key: 'system.framework', Value: 'PyTorch 2.6' }];
  const made = await build(dockerfile('LABEL n=4'), {}, { Labels });
  expect(made.State).toBe('succeeded');
  const { body } = await kiln.pai('GET', `/api/v1/images/${made.ImageId}`, { query: { Verbose: 'true' } });
  expect(body.Labels).toContainEqual({ Key: 'system.framework', Value: 'PyTorch 2.6' });
  expect(await attached(made.ImageId)).toMatchObject({ State: 'done', Attestations: [{}, {}, {}, {}] });
  await policy({ Attest: 'off' });
  const plain = await build(dockerfile('LABEL n=5'));
  await eventually(async () => {
    const { body } = await kiln.pai('GET', `/api/v1/images/${plain.ImageId}/facts`);
    const due = 'SELECT FROM images WHERE pai_id = $1 AND policy_due';
    return body.State === 'done' && (await kiln.database.db.$client.query(due, [plain.ImageId])).rowCount === 0
      ? true
      : undefined;
  }, 'the end of the check');
  expect(await attached(plain.ImageId)).toMatchObject({ State: 'none', Attestations: [] });
});

it('does not believe what another has signed, or what is about another image', async () => {
  await policy({});
  const [one, two] = [await build(dockerfile('LABEL n=6')), await build(dockerfile('LABEL n=7'))];
  const [first, second] = [await written(one.ImageId), await written(two.ImageId)];
  const path = one.repository.slice(one.repository.indexOf('/') + 1);
  const set = async (bundle: string) =>
    kiln.database.db.$client.query(
      `UPDATE attestations SET documents = jsonb_set(documents, '{0,bundle}', to_jsonb($1::text)) WHERE digest = $2`,
      [bundle, one.Digest],
    );
  const { Bundle } = await document(one.ImageId, 'provenance');
  const forged = structuredClone(Bundle);
  const statement = JSON.parse(Buffer.from(forged.dsseEnvelope.payload as string, 'base64').toString());
  statement.predicate.buildDefinition.externalParameters.name = 'another';
  forged.dsseEnvelope.payload = Buffer.from(JSON.stringify(statement)).toString('base64');
  await set((await pushBlob(kiln.stack.registryHost, path, JSON.stringify(forged))).digest);
  expect(await document(one.ImageId, 'provenance')).toMatchObject({
    Verified: false,
    Reason: expect.stringContaining('signed') as string,
  });
  const other = (await document(two.ImageId, 'provenance')).Bundle;
  await set((await pushBlob(kiln.stack.registryHost, path, JSON.stringify(other))).digest);
  expect(await document(one.ImageId, 'provenance')).toMatchObject({
    Verified: false,
    Reason: expect.stringContaining('another image') as string,
  });
  await set((await pushBlob(kiln.stack.registryHost, path, 'nothing')).digest);
  expect(await document(one.ImageId, 'provenance')).toMatchObject({ Code: 'ManifestInvalid' });
  const missing = `/api/v1/images/${one.ImageId}/attestations/${second.Attestations[0].Digest}`;
  expect((await kiln.pai('GET', missing)).body.Code).toBe('AttestationNotFound');
  expect(first.State).toBe('done');
});

it('takes the documents out of the registry with the image', async () => {
  await policy({});
  const made = await build(dockerfile('LABEL n=8'));
  const { Attestations } = await written(made.ImageId);
  const path = made.repository.slice(made.repository.indexOf('/') + 1);
  const status = async (reference: string) => {
    const accept = 'application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json';
    const url = `http://${kiln.stack.registryHost}/v2/${path}/manifests/${reference}`;
    return (await fetch(url, { headers: { accept } })).status;
  };
  const all = [made.Digest.replace(':', '-'), ...Attestations.map((it: any) => it.Digest)] as string[];
  expect(await Promise.all(all.map(status))).toEqual(all.map(() => 200));
  const { rows } = await kiln.database.db.$client.query('SELECT id FROM images WHERE pai_id = $1', [made.ImageId]);
  const image = `/v1/${kiln.account.projectId}/images/${rows[0].id}`;
  await kiln.modelarts('DELETE', image, { body: { is_force: true } });
  await eventually(async () => ((await status(made.Digest)) === 404 ? true : undefined), 'the end of the image');
  await eventually(async () => {
    const left = await Promise.all(all.map(status));
    return left.every((it) => it === 404) ? true : undefined;
  }, 'the end of its documents');
});

it('begins anew for another build where it had failed, and does not stand for what a policy refuses', async () => {
  await policy({});
  const made = await build(dockerfile('LABEL n=9'));
  await written(made.ImageId);
  const failed = `UPDATE attestations SET state = 'failed', documents = '[]' WHERE digest = $1`;
  await kiln.database.db.$client.query(failed, [made.Digest]);
  await policy({ Attest: 'before' });
  // Its steps come from the cache, so that it has the same digest.
  const again = await build(dockerfile('LABEL n=9'), {}, { Uri: `${made.repository}:again` });
  expect(again).toMatchObject({ State: 'succeeded', Digest: made.Digest });
  expect(await attached(again.ImageId)).toMatchObject({ State: 'done', Attestations: [{}, {}, {}, {}] });

  // One that was published before anybody knew what is in it.
  await policy({ Mode: 'refuse', Profiles: ['pai-eas'], WaitSeconds: 0 });
  const refused = await build(dockerfile('EXPOSE 8080'));
  const late = await eventually(async () => {
    const { body } = await kiln.pai('GET', `/api/v1/images/${refused.ImageId}`);
    return body.Status === 'ERROR' ? body : undefined;
  }, 'a late refusal');
  expect(late.StatusMessage).toMatch(/fails pai-eas: P1/);
  expect(await attached(refused.ImageId)).toMatchObject({ State: 'none' });
});
