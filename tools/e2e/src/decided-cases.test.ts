import { randomUUID } from 'node:crypto';
import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { openTestKiln, send, type TestKiln } from '@kiln/stack/testing';

let kiln: TestKiln;
beforeAll(async () => {
  kiln = await openTestKiln({ apps: [] });
});
afterAll(() => kiln.stop());

describe('decided cases', () => {
  const images = '/api/v1/images';
  const authorization = () => `Bearer ${kiln.account.token}`;
  const get = async (path: string, headers: Record<string, string> = {}) => {
    const got = await send(kiln, { method: 'GET', path, headers, body: undefined });
    return { status: got.status, body: JSON.parse(got.text) };
  };
  const create = async (edit: (body: any) => void) => {
    const body = kiln.buildRequest(`FROM ${kiln.base}\n`);
    edit(body);
    const got = await send(kiln, { method: 'POST', path: '/api/v1/imagebuilds', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }); // prettier-ignore
    return { status: got.status, body: JSON.parse(got.text) };
  };

  it('a parameter that comes twice is refused where it is known, and ignored where it is not', async () => {
    expect(await get(`${images}?PageSize=1&PageSize=2`)).toMatchObject({
      status: 400,
      body: { Code: 'InvalidParameter', Message: 'PageSize: is given more than once' },
    });
    expect(await get(`${images}?Whatever=1&Whatever=2`)).toMatchObject({ status: 200 });
    expect(await get(`/v1/${kiln.account.projectId}/images?name=a&name=b`)).toMatchObject({
      status: 400,
      body: { error_code: 'ModelArts.0104', error_msg: 'name: is given more than once' },
    });
  });

  it('a header that tells who asks, or what, comes once', async () => {
    const twice = (headers: [string, string][]) =>
      new Promise<{ status: number | undefined; body: any }>((resolve, reject) => {
        const { hostname, port } = new URL(kiln.url);
        const outgoing = httpRequest({ hostname, port, path: images, headers: headers.flat() as never }, (answer) => {
          let text = '';
          answer.on('data', (it: Buffer) => (text += it.toString()));
          answer.on('end', () => resolve({ status: answer.statusCode, body: JSON.parse(text) }));
        });
        outgoing.on('error', reject).end();
      });
    const host: [string, string] = ['host', new URL(kiln.url).host];
    expect(await twice([host, ['authorization', authorization()], ['authorization', 'Bearer other']])).toMatchObject({
      status: 400,
      body: { Code: 'InvalidParameter', Message: 'header authorization is given more than once' },
    });
    expect(await twice([host, ['authorization', authorization()], ['x-other', '1'], ['x-other', '2']])).toMatchObject({
      status: 200,
    });
  });

  it('percent-encoding is undone once, in paths and in queries', async () => {
    expect(await get(`${images}/image%2Dnone`)).toMatchObject({
      status: 404,
      body: { Message: 'there is no image image-none' },
    });
    expect(await get(`${images}/image%252Dnone`)).toMatchObject({
      status: 404,
      body: { Message: 'there is no image image%2Dnone' },
    });
    expect(await get(`${images}/a%2Fb`)).toMatchObject({ status: 404, body: { Message: 'there is no image a/b' } });
    expect(await get(`${images}/%zz`)).toMatchObject({ status: 400, body: { Code: 'InvalidParameter' } });
    expect(await get(`${images}/a%00b`)).toMatchObject({
      status: 400,
      body: { Message: 'ImageId: must not contain NUL' },
    });
    expect(await get(`${images}?Order=%44ESC`)).toMatchObject({ status: 200 });
    expect(await get(`${images}?Order=DE+SC`)).toMatchObject({ status: 400 });
  });

  it('text is kept as it came: no normal form, no trimming, no case folding; what is no text is refused', async () => {
    const name = `image-${randomUUID().slice(0, 8)}`;
    const labels = [{ Key: 'é', Value: 'e\u0301' }, { Key: 'e\u0301', Value: ' é ' }, { Key: 'Key', Value: '🦩' }, { Key: 'key', Value: '' }]; // prettier-ignore
    const made = await create((it) => Object.assign(it.Image, { Name: name, Labels: labels }));
    expect(made.status).toBe(200);
    const { body } = await get(`/api/v1/imagebuilds/${made.body.ImageBuildId}`);
    expect(body.Request.Image.Labels).toEqual(labels);
    expect(await create((it) => (it.Image.Description = 'a\ud800'))).toMatchObject({ status: 400, body: { Message: expect.stringContaining('Image.Description') } }); // prettier-ignore
  });

  it('unknown fields are ignored, unless they are almost one that protects somebody', async () => {
    expect(await create((it) => Object.assign(it, { NewInTheCloud: { a: 1 }, Image: { ...it.Image, Icon: 'x' } }))).toMatchObject({ status: 200 }); // prettier-ignore
    for (const [field, edit] of [
      ['accessibility', (it: any) => (it.accessibility = 'PRIVATE')],
      ['UserVPC', (it: any) => (it.UserVPC = { VpcId: 'v' })],
      ['security_group_id', (it: any) => (it.UserVpc = { security_group_id: 'v' })],
      ['registryAuths', (it: any) => (it.BuildConfig.registryAuths = {})],
      ['overwriteImageTag', (it: any) => (it.OverwriteImageTag_ = it.overwriteImageTag = true)],
    ] as const)
      expect(await create(edit)).toMatchObject({ status: 400, body: { Code: 'InvalidParameter', Message: expect.stringContaining(`${field}: is not a field; `) } }); // prettier-ignore
    const forced = await send(kiln, { method: 'DELETE', path: `/v1/${kiln.account.projectId}/images/${randomUUID()}?isForce=true`, headers: {}, body: undefined }); // prettier-ignore
    expect(forced).toMatchObject({
      status: 400,
      text: expect.stringContaining('isForce: is not a field; is_force is'),
    });
  });

  it('what is no HTTP, or too long for it, is answered in JSON, too', async () => {
    const raw = (bytes: string) =>
      new Promise<string>((resolve) => {
        const { hostname, port } = new URL(kiln.url);
        const socket = connect(Number(port), hostname, () => socket.write(bytes));
        let text = '';
        socket.on('data', (it: Buffer) => (text += it.toString()));
        socket.on('close', () => resolve(text));
        socket.on('error', () => resolve(text));
      });
    const parse = (answer: string) => ({
      status: Number(answer.split(' ')[1]),
      body: JSON.parse(answer.slice(answer.indexOf('\r\n\r\n'))),
    });
    expect(parse(await raw('nonsense\r\n\r\n'))).toMatchObject({ status: 400, body: { Code: 'InvalidParameter' } });
    expect(parse(await raw('GET /v1/p/images HTTP/1.1\r\nhost: a\r\nbad header\r\n\r\n'))).toMatchObject({
      status: 400,
      body: { error_code: 'ModelArts.0104' },
    });
    expect(parse(await raw('GET /api/v1/images HTTP/1.1\r\nconnection: close\r\n\r\n'))).toMatchObject({
      status: 400,
      body: { Code: 'MissingParameter' },
    });
    const { projectId, token } = kiln.account;
    const absolute = `GET http://elsewhere/v1/${projectId}/images HTTP/1.1\r\nhost: a\r\nx-auth-token: ${token}\r\nconnection: close\r\n\r\n`;
    expect(parse(await raw(absolute))).toMatchObject({ status: 400, body: { error_code: 'ModelArts.0104' } });
    expect(parse(await raw(`GET ${images}?a=${'x'.repeat(20_000)} HTTP/1.1\r\nhost: a\r\n\r\n`))).toMatchObject({
      status: 431,
      body: { Code: 'InvalidParameter' },
    });
  });

  it('what nests too deep, or names a time or a cursor that there is not, is the client’s mistake', async () => {
    const deep = `${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`;
    const path = `/v1/${kiln.account.projectId}/images`;
    const registered = await send(kiln, {
      method: 'POST',
      path,
      headers: { 'content-type': 'application/json' },
      body: deep,
    });
    expect(registered.status).toBe(400);
    expect(await get('/api/v1/jobs?StartTime=9999-12-31T12:00:00Z')).toMatchObject({ status: 400 });
    const cursor = Buffer.from('2020-01-01 a\0b').toString('base64url');
    expect(await get(`/api/v1/imagebuilds?Cursor=${cursor}`)).toMatchObject({
      status: 400,
      body: { Code: 'InvalidParameter' },
    });
  });

  it('a parameter without a value is as one that was not sent', async () => {
    expect(await get(`${images}?PageSize=&Name=&Labels=`)).toMatchObject({ status: 200 });
  });

  it('paths, methods and contradictions have their dialect’s answers', async () => {
    expect(await get('/api/v2/none')).toMatchObject({ status: 404, body: { Code: 'InvalidAction.NotFound' } });
    expect(await get('/v1/none')).toMatchObject({ status: 404, body: { error_code: 'APIG.0101' } });
    const put = await send(kiln, { method: 'PUT', path: images, headers: {}, body: '{}' });
    expect(put).toMatchObject({ status: 405, text: expect.stringContaining('InvalidAction.NotFound') });
    expect(put.headers.get('allow')).toBe('POST, GET');
    expect(await get(images, { 'x-acs-action': 'GetImage' })).toMatchObject({ status: 404, body: { Code: 'InvalidAction.NotFound' } }); // prettier-ignore
    expect(await get(images, { 'x-acs-version': '2020-12-03' })).toMatchObject({ status: 400, body: { Code: 'InvalidVersion' } }); // prettier-ignore
    expect(await get('/api/v1/jobs', { 'x-acs-version': '2020-12-03' })).toMatchObject({ status: 200 });
  });
});
