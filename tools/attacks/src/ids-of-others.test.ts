import { randomUUID } from 'node:crypto';
import { type Operation, operations } from '@kiln/contract';
import { provisionAccount, type ProvisionedAccount } from '@kiln/stack';
import { exampleFor, idsFor, openTestKiln, sendOperation, type TestKiln } from '@kiln/stack/testing';

let kiln: TestKiln;
let stranger: ProvisionedAccount;
beforeAll(async () => {
  kiln = await openTestKiln({ apps: ['registrar'], env: { KILN_REQUESTS_PER_SECOND: '0' } });
  stranger = await provisionAccount(
    kiln.database.db,
    kiln.env.KILN_SEALING_KEY,
    `stranger-${randomUUID().slice(0, 8)}`,
    kiln.stack.registryHost,
  );
});
afterAll(() => kiln.stop());

/** An id that looks like another one and is nobody's. */
const nobodys = (id: string): string =>
  id.replace(/[a-z0-9]/g, (it) =>
    /\d/.test(it) ? String((Number(it) + 7) % 10) : /[a-f]/.test(it) ? ('abcdef'['bcdefa'.indexOf(it)] ?? it) : it,
  );

/** An answer without what differs from request to request, and with every id in it called the same. */
const comparable = (text: string, ids: Record<string, string>): string => {
  const all = Object.values(ids).filter((it) => it.length > 3);
  return all
    .reduce((sum, it) => sum.replaceAll(it, 'ID'), text)
    .replace(/"(RequestId|requestId|request_id)":"[^"]*"/g, '"$1":""')
    .replace(/"HostId":"[^"]*"/g, '""');
};

/** Names that each account gives its own things: the same one is another thing in another account. */
const givesNames = ['PutRegistry', 'PutSecret', 'PutSource'];
const withIds = operations.filter((it) => it.path.includes('{') && !it.anonymous && !givesNames.includes(it.name));

/** What the stranger gets for an operation with these ids, with requests that are the same otherwise. */
async function asStranger(
  operation: Operation,
  ids: Record<string, string>,
  content: { query: Record<string, string>; body: unknown },
) {
  const got = await sendOperation(kiln, operation, ids, content, stranger.token);
  return { status: got.status, text: comparable(got.text, ids) };
}

it('an id that another account has is told to be taken, and nothing more', async () => {
  const body = {
    Name: 'mine',
    ImageUri: kiln.base,
    ImageId: `image-${randomUUID().replaceAll('-', '').slice(0, 18)}`,
    Accessibility: 'PRIVATE',
  };
  expect((await kiln.pai('POST', '/api/v1/images', { body })).status).toBe(200);
  const answer = await fetch(`${kiln.url}/api/v1/images`, {
    method: 'POST',
    headers: { authorization: `Bearer ${stranger.token}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  expect(await answer.json()).toMatchObject({
    Code: 'ImageIdDuplicated',
    Message: `ImageId: ${body.ImageId} is in use`,
  });
});

it('what has a name in one account is another thing in another account', async () => {
  const token = async (of: string) => {
    const answer = await fetch(`${kiln.url}/api/v1/secrets`, { headers: { authorization: `Bearer ${of}` } });
    return ((await answer.json()) as { Secrets: { Name: string; GmtModifiedTime: string }[] }).Secrets;
  };
  await kiln.pai('PUT', '/api/v1/secrets/shared-name', { body: { Value: 'ours' } });
  const ours = await token(kiln.account.token);
  for (const name of givesNames) {
    const operation = operations.find((it) => it.name === name);
    if (!operation) throw new Error(`there is no ${name}`);
    const ids = { Name: 'shared-name', Host: 'git.example.com', InstanceId: 'shared' };
    expect((await sendOperation(kiln, operation, ids, await exampleFor(kiln, operation), stranger.token)).status).toBe(
      200,
    );
  }
  expect(await token(kiln.account.token)).toEqual(ours);
  expect((await token(stranger.token)).map((it) => it.Name)).toEqual(['shared-name']);
});

describe('with the ids of another account, a caller gets exactly what one gets for ids of nobody', () => {
  it.each(withIds.map((it) => [it.name, it] as const))('%s', async (_, operation) => {
    const theirs = await idsFor(kiln, operation);
    const nothing = Object.fromEntries(
      Object.entries(theirs).map(([name, id]) => [name, name === 'LabelKey' ? id : nobodys(id)]),
    );
    const content = await exampleFor(kiln, operation);
    const before = await snapshot();
    // The whole path of the other account; and its objects in a project of the caller's own.
    const own = { project_id: stranger.projectId };
    const named = operation.path.replace('{project_id}', '').includes('{');
    const pairs = [
      [theirs, nothing] as const,
      ...(named
        ? [
            [
              { ...theirs, ...own },
              { ...nothing, ...own },
            ] as const,
          ]
        : []),
    ];
    for (const [foreign, unknown] of pairs) {
      const got = await asStranger(operation, foreign, content);
      expect(got).toEqual(await asStranger(operation, unknown, content));
      expect(got.status).toBeGreaterThanOrEqual(400);
      expect(got.text).not.toContain(kiln.account.accountId);
    }
    expect(await snapshot()).toEqual(before);
  });

  it.each(
    operations
      .filter((it) => JSON.stringify(it.example).includes('"123456"') && !it.anonymous)
      .map((it) => [it.name, it] as const),
  )('%s, with a workspace of another account in its query or body', async (_, operation) => {
    const content = await exampleFor(kiln, operation);
    const ids = { project_id: stranger.projectId };
    const unknown = JSON.parse(
      JSON.stringify(content).replaceAll(kiln.account.workspaceId, nobodys(kiln.account.workspaceId)),
    ) as typeof content;
    const before = await snapshot();
    const workspaces = { a: kiln.account.workspaceId, b: nobodys(kiln.account.workspaceId) };
    const got = await asStranger(operation, ids, content);
    const other = await asStranger(operation, ids, unknown);
    expect([got.status, comparable(got.text, workspaces)]).toEqual([other.status, comparable(other.text, workspaces)]);
    expect(got.text).not.toContain(kiln.account.accountId);
    expect(await snapshot()).toEqual(before);
  });
});

/** What the first account has, so that a change of it shows. */
async function snapshot(): Promise<unknown> {
  const { rows } = await kiln.database.db.$client.query(
    `SELECT (SELECT count(*) FROM builds WHERE cancel_requested_at IS NOT NULL OR job_deleted_at IS NOT NULL) AS touched,
      (SELECT count(*) FROM builds WHERE account_id = $1 AND parent_id IS NOT NULL) AS repeated,
      (SELECT count(*) FROM images WHERE account_id = $1 AND status = 'DELETED') AS deleted,
      (SELECT count(*) FROM image_labels) AS labels`,
    [kiln.account.accountId],
  );
  return rows;
}
