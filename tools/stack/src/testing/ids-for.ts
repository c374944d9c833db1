import { randomUUID } from 'node:crypto';
import type { Operation } from '@kiln/contract';
import { eventually } from '@kiln/kit/testing';
import { listWorkers } from '@kiln/persistence';
import { pushBlob } from '../client/push.ts';
import type { TestKiln } from './test-kiln.ts';

/** Makes an image and a build of its own for an operation, and gives the ids that its path names. */
export async function idsFor(kiln: TestKiln, operation: Operation): Promise<Record<string, string>> {
  const name = `odd-${randomUUID().slice(0, 8)}`;
  const body = { Name: name, ImageUri: kiln.base, WorkspaceId: kiln.account.workspaceId };
  const added = await kiln.pai('POST', '/api/v1/images', { body });
  const build = await kiln.submit(kiln.buildRequest(`FROM ${kiln.base}\n`));
  if (operation.name === 'DeleteJob') await kiln.pai('POST', `/api/v1/jobs/${build.ImageBuildJobId}/stop`);
  // Only what has ended can be done again.
  if (['RetryImageBuild', 'RerunImageBuild'].includes(operation.name))
    await kiln.database.db.$client.query(`UPDATE builds SET state = 'expired' WHERE id = $1`, [build.ImageBuildId]);
  if (operation.name === 'RedriveImageBuild')
    await kiln.database.db.$client.query(`UPDATE builds SET state = 'failed', quarantined_at = now() WHERE id = $1`, [
      build.ImageBuildId,
    ]);
  const { rows } = await kiln.database.db.$client.query<{ id: string; group_id: string }>(
    'SELECT id, group_id FROM images WHERE pai_id = $1',
    [added.body.ImageId],
  );
  if (operation.name === 'RestoreImage')
    await kiln.database.db.$client.query(
      `UPDATE images SET retiring = $2, retire_at = now() + interval '1 day' WHERE pai_id = $1`,
      [
        added.body.ImageId,
        {
          stage: 'deprecated',
          reason: '',
          message: '',
          before: { visibility: 'PUBLIC', hidden: false, publicById: false },
        },
      ],
    );
  if (operation.name === 'CompareImage') await addBefore(kiln, body, added.body.ImageId as string);
  const webhook = operation.path.includes('{WebhookId}') ? await webhookOf(kiln) : {};
  const id = operation.path.includes('/group/') ? rows[0]?.group_id : rows[0]?.id;
  return {
    ...build,
    project_id: kiln.account.projectId,
    JobId: build.ImageBuildJobId,
    PodId: `${build.ImageBuildJobId}-worker-0`,
    ImageId: added.body.ImageId as string,
    id: id ?? '',
    image_id: id ?? '',
    LabelKey: 'a',
    ...webhook,
    ...(operation.path.includes('{InspectionId}') ? { InspectionId: await inspectionOf(kiln) } : {}),
    ...(operation.path.includes('/attestations/') ? await attestationOf(kiln, added.body.ImageId as string) : {}),
    ...(operation.path.includes('{UploadId}') ? { UploadId: await uploadOf(kiln) } : {}),
    ...(operation.path.includes('/contexts/{Id}') ? { Id: await contextOf(kiln) } : {}),
    ...(await settingOf(kiln, operation.path)),
    ...(operation.path.includes('/workers/{Name}') ? { Name: await builderOf(kiln), Account: 'nobody' } : {}),
  };
}

/** A builder; where none is there, one of a pool whose builds there are none of. */
async function builderOf(kiln: TestKiln): Promise<string> {
  const find = async (): Promise<string | undefined> =>
    (await listWorkers(kiln.database.db)).find((it) => it.app === 'builder' && it.alive)?.name;
  const found = await find();
  if (found !== undefined) return found;
  kiln.start('builder', { KILN_BUILDER_POOL: 'idle' });
  return eventually(find, 'a builder');
}

/** What a path of the settings names, made for it. */
async function settingOf(kiln: TestKiln, path: string): Promise<Record<string, string>> {
  const name = `odd-${randomUUID().slice(0, 8)}`;
  if (path.includes('/workspaces/')) {
    const { workspaceId: WorkspaceId } = kiln.account;
    if (!path.includes('{PlanId}')) return { WorkspaceId };
    const plan = await kiln.pai('POST', `/api/v1/workspaces/${WorkspaceId}/retention/plans`);
    return { WorkspaceId, PlanId: plan.body.PlanId as string };
  }
  if (path.includes('/campaigns/')) {
    const body = { WorkspaceId: kiln.account.workspaceId, Stale: true };
    return { CampaignId: (await kiln.pai('POST', '/api/v1/campaigns', { body })).body.CampaignId as string };
  }
  if (path.includes('/accounts/')) return { AccountId: kiln.account.accountId };
  const made = async (at: string, body: object) => (await kiln.pai('POST', at, { body })).body;
  if (path.includes('/signingkeys/')) return { KeyId: (await made('/api/v1/signingkeys', {})).KeyId };
  if (path.includes('/users/')) return { UserId: (await made('/api/v1/users', { Name: name })).UserId };
  if (path.includes('/tokens/')) return { TokenId: (await made('/api/v1/tokens', {})).TokenId };
  if (path.includes('/accesskeys/')) return { AccessKeyId: (await made('/api/v1/accesskeys', {})).AccessKeyId };
  if (path.includes('/secrets/')) {
    await kiln.pai('PUT', `/api/v1/secrets/${name}`, { body: { Value: 'x' } });
    return { Name: name };
  }
  if (path.includes('/sources/')) {
    await kiln.pai('PUT', `/api/v1/sources/${name}.example.com`, { body: {} });
    return { Host: `${name}.example.com` };
  }
  if (path.includes('/registries/')) {
    await kiln.pai('PUT', `/api/v1/registries/${name}`, { body: { Host: kiln.stack.registryHost, Tls: 'http' } });
    return { InstanceId: name };
  }
  return {};
}

/** A context with nothing but a folder in it. */
async function contextOf(kiln: TestKiln): Promise<string> {
  const answer = await fetch(`${kiln.url}/api/v1/contexts/plan`, {
    method: 'POST',
    headers: { authorization: `Bearer ${kiln.account.token}`, 'content-type': 'application/x-ndjson' },
    body: `${JSON.stringify([randomUUID(), 'folder', 0o755])}\n`,
  });
  return ((await answer.json()) as { Id: string }).Id;
}

/** Another image of a repository, older than one that is there; and waits until both have been read. */
async function addBefore(kiln: TestKiln, body: object, imageId: string): Promise<void> {
  await kiln.pai('POST', '/api/v1/images', { body: { ...body, Name: `odd-${randomUUID().slice(0, 8)}` } });
  const later = `UPDATE images SET created_at = now() + interval '1 s' WHERE pai_id = $1`;
  await kiln.database.db.$client.query(later, [imageId]);
  await eventually(async () => {
    const facts = await kiln.pai('GET', `/api/v1/images/${imageId}/facts`);
    return facts.body.State === 'done' ? true : undefined;
  }, 'facts');
}

/** A document that nobody has signed, attached to an image. */
async function attestationOf(kiln: TestKiln, imageId: string): Promise<Record<string, string>> {
  const dsseEnvelope = { payload: '', payloadType: '', signatures: [] };
  const [, repository = ''] = /^[^/]+\/(.*):[^:]*$/.exec(kiln.base) ?? [];
  const bundle = await pushBlob(kiln.stack.registryHost, repository, JSON.stringify({ dsseEnvelope }));
  const document = {
    kind: 'provenance',
    predicateType: '',
    digest: bundle.digest,
    bundle: bundle.digest,
    size: 1,
    keyId: '',
  };
  await eventually(async () => {
    const { rowCount } = await kiln.database.db.$client.query(
      `INSERT INTO attestations (id, account_id, workspace_id, host, repository, digest, arch, build_id, state, documents)
       SELECT 'att-' || id, account_id, workspace_id, host, repository, digest, arch, '', 'done', $2 FROM images
       WHERE pai_id = $1 AND digest IS NOT NULL ON CONFLICT (account_id, host, repository, digest)
       DO UPDATE SET documents = EXCLUDED.documents`,
      [imageId, JSON.stringify([document])],
    );
    return rowCount === 1 ? true : undefined;
  }, 'an image to attach something to');
  return { Digest: bundle.digest };
}

async function inspectionOf(kiln: TestKiln): Promise<string> {
  return (await kiln.pai('POST', '/api/v1/inspections', { body: { ImageUri: kiln.base } })).body.InspectionId as string;
}

/** An upload of which nothing has come. */
async function uploadOf(kiln: TestKiln): Promise<string> {
  const { headers } = await fetch(`${kiln.url}/api/v1/contexts/uploads`, {
    method: 'POST',
    headers: { authorization: `Bearer ${kiln.account.token}`, 'tus-resumable': '1.0.0', 'upload-length': '9' },
  });
  return headers.get('location')?.split('/').pop() ?? '';
}

/** A webhook with a delivery, neither of which leads anywhere. */
async function webhookOf(kiln: TestKiln): Promise<Record<string, string>> {
  const { rows } = await kiln.database.db.$client.query<Record<string, string>>(
    `WITH webhook AS (
       INSERT INTO webhooks (id, account_id, url, description, types, secret_sealed)
       VALUES ($1, $2, 'https://192.0.2.1/', '', '{webhook.test}', '') RETURNING id, account_id)
     INSERT INTO webhook_deliveries (webhook_id, account_id, event_id, state)
     SELECT id, account_id, (SELECT max(id) FROM events), 'failed' FROM webhook RETURNING webhook_id AS "WebhookId", id AS "DeliveryId"`,
    [`wh-${randomUUID()}`, kiln.account.accountId],
  );
  return rows[0] ?? {};
}
