import { randomUUID } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { newAccessKey, openSealer } from '@kiln/auth';
import { Secret } from '@kiln/kit';
import { addMember, createUser, insertAccessKey } from '@kiln/persistence';
import { format, resolveConfig } from 'prettier';
import { provisionAccount, root } from '@kiln/stack';
import { openTestKiln, type TestKiln } from '@kiln/stack/testing';
import {
  type CloudClient,
  type CloudKey,
  huaweiCore,
  openapiClient,
  openapiCore,
} from './conformance/cloud-clients.ts';
import type { Conformance } from './conformance/context.ts';
import { checkModelArts } from './conformance/modelarts-images.ts';
import { checkPaiBuilds } from './conformance/pai-builds.ts';
import { checkPaiImages } from './conformance/pai-images.ts';
import { ConformanceRecord } from './conformance/record.ts';

let kiln: TestKiln;
const keys: Record<'owner' | 'member' | 'stranger', CloudKey> = {} as never;
const record = new ConformanceRecord();

beforeAll(async () => {
  kiln = await openTestKiln({
    env: { KILN_REGISTER_WAIT_MS: '10000' },
    platform: { networks: { 'vpc-1': { extendable: ['10.0.0.0/8'], groups: { 'sg-1': {} } } } },
  });
  const { db } = kiln.database;
  const { account } = kiln;
  const user = await createUser(db, account.accountId, 'member', 'developer');
  await addMember(db, account.accountId, account.workspaceId, user.id);
  const key = newAccessKey();
  const secretSealed = openSealer(new Secret(kiln.env.KILN_SEALING_KEY)).seal(key.secret, `access-key:${key.id}`);
  await insertAccessKey(db, { id: key.id, accountId: account.accountId, userId: user.id, secretSealed });
  const other = await provisionAccount(db, kiln.env.KILN_SEALING_KEY, 'another', kiln.stack.registryHost);
  keys.owner = account;
  keys.member = { accessKeyId: key.id, accessKeySecret: key.secret.reveal(), projectId: account.projectId };
  keys.stranger = other;
});
afterAll(() => kiln.stop());

// The registry outlives a run: tags of an earlier one must not be met again.
const run = randomUUID().slice(0, 4);

const contextFor = (open: (url: string, key: CloudKey) => CloudClient, prefix: string): Conformance => {
  const watched = (who: keyof typeof keys) => {
    let client: CloudClient | undefined;
    return () => (client ??= record.watch(open(kiln.url, pick(keys[who]))));
  };
  return {
    kiln: () => kiln,
    client: watched('owner'),
    member: watched('member'),
    stranger: watched('stranger'),
    record,
    named: (name) => `${prefix}${run}-${name}`,
  };
};

// The account knows more than a client's configuration should.
const pick = ({ accessKeyId, accessKeySecret, projectId }: CloudKey): CloudKey => ({
  accessKeyId,
  accessKeySecret,
  projectId,
});

describe.each([
  ['core', openapiCore],
  ['client', openapiClient],
] as const)('Alibaba’s openapi-%s', (prefix, open) => {
  const context = contextFor(open, prefix);
  checkPaiBuilds(context);
  checkPaiImages(context);
});

describe('Huawei’s sdk-core', () => {
  const pai = contextFor(openapiCore, 'pai');
  checkModelArts(contextFor(huaweiCore, 'huawei'), pai.client);
});

it('is written down as it was seen', async () => {
  const file = join(root, 'docs/reference/compatibility.md');
  const { text, untested } = record.render();
  expect(untested).toEqual([]);
  const pretty = await format(text, { ...(await resolveConfig(file)), parser: 'markdown' });
  if (process.env['KILN_WRITE_DOCS'] === '1') writeFileSync(file, pretty);
  expect(readFileSync(file, 'utf8')).toBe(pretty);
});
