import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { openSealer } from '@kiln/auth';
import { Lifecycle, openLogger, Secret } from '@kiln/kit';
import { testStack } from '@kiln/kit/testing';
import { openDatabase, openNonceStore, openRememberedLists } from '@kiln/persistence';
import { openAddressRules, openRegistryClients } from '@kiln/registry';
import { openSources } from '@kiln/sources';
import { emptyPlatform } from '@kiln/contract';
import { type Directory, openDirectory, openQuotas, openWebhookRules } from '@kiln/usecases';
import { openEventFeed } from './live/event-feed.ts';
import { openLogFeed } from './live/log-feed.ts';
import { openMessaging } from '@kiln/worker';
import { openPendingQueue } from './usecases/place-in-line.ts';
import { createApp } from './app.ts';
import { openThrottle } from './callers/throttle.ts';

const life = new Lifecycle(openLogger('test', 'silent'));
const servers: Server[] = [];
afterAll(async () => {
  for (const it of servers) it.close();
  await life.close();
});

const limits = { runningMax: 0, waitingMax: 0, dailyMax: 0, imagesMax: 0 };

/** The whole app over a PostgreSQL that is not there. */
async function serve(change: { directory?: Directory; perSecond?: number; failures?: number } = {}): Promise<string> {
  const log = openLogger('test', 'silent');
  const { db, close } = openDatabase(new Secret('postgres://nobody@127.0.0.1:1/none'));
  life.defer('database', close);
  const settings = {
    KILN_QUEUE: 'redis' as const,
    KILN_DATABASE_URL: new Secret(testStack().postgresUrl),
    KILN_REDIS_URL: new Secret(testStack().redisUrl),
    KILN_REDIS_PREFIX: 'test-app',
  };
  const messaging = openMessaging(settings, { db, life, log });
  const app = createApp({
    db,
    systemDb: db,
    nonces: openNonceStore(db, 60),
    directory: change.directory ?? openDirectory(db, db),
    sealer: openSealer(new Secret(Buffer.alloc(32).toString('base64'))),
    lists: openRememberedLists(),
    pendingQueue: openPendingQueue(db, db, limits),
    quotas: openQuotas(db, limits),
    logFeed: openLogFeed(db, messaging.signals),
    eventFeed: openEventFeed(db, db, messaging.signals),
    webhookRules: openWebhookRules([]),
    contexts: undefined,
    campaigns: { wake: () => undefined },
    registries: openRegistryClients(openAddressRules([])),
    sources: openSources(openAddressRules([]), {}),
    uploads: undefined,
    profiles: [],
    contextRules: { entries: 10, bytes: 10, accountBytes: 10, hours: 1 },
    throttle: openThrottle({
      userPerSecond: change.perSecond ?? 0,
      accountPerSecond: 0,
      addressPerSecond: 0,
      failuresPerMinute: change.failures ?? 0,
    }),
    lastUsed: { note: () => undefined, close: () => Promise.resolve() },
    audit: { record: () => undefined, close: () => Promise.resolve() },
    trustedProxies: [],
    platform: emptyPlatform,
    packageRules: 'lenient',
    clientTokenHours: 168,
    checkRegistryHost: () => Promise.resolve(),
    limits,
    legacySignatures: false,
    waitMs: 100,
    log,
    ...messaging,
    boardQueues: messaging.openBoard([]),
  });
  const server = createServer((req, res) => void app(req, res));
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const nowhere = openDatabase(new Secret('postgres://nobody@127.0.0.1:1/none')).db;

/** Somebody, without asking PostgreSQL. */
const known = (token: Directory['token']): Directory => ({
  ...openDirectory(nowhere, nowhere),
  token,
  hasProject: () => Promise.resolve(true),
});
const somebody = known(() =>
  Promise.resolve({
    accountId: 'a',
    userId: 'u',
    role: 'admin',
    onlyProjectId: null,
    id: 't',
    scopes: null,
    operates: true,
    sessionOf: null,
    accessKeyId: null,
    expiresAt: null,
  }),
);

const dialects = [
  ['PAI', '/api/v1/images', 'x-acs-request-id', ['Code', 'HostId', 'Message', 'RequestId']],
  ['ModelArts', '/v1/project/images', 'x-request-id', ['error_code', 'error_msg', 'request_id']],
] as const;

describe.each(dialects)('%s', (name, images, header, fields) => {
  const ask = async (url: string, path: string, init: RequestInit = {}) => {
    const headers = { authorization: 'Bearer any', ...(init.headers as Record<string, string>) };
    const answer = await fetch(url + path, { ...init, headers });
    const body = (await answer.json()) as Record<string, string>;
    expect(answer.headers.get('content-type')).toMatch(/^application\/json/);
    expect(Object.keys(body).sort()).toEqual([...fields]);
    expect(body[name === 'PAI' ? 'RequestId' : 'request_id']).toBe(answer.headers.get(header));
    return { status: answer.status, code: body[name === 'PAI' ? 'Code' : 'error_code'], text: JSON.stringify(body) };
  };
  const code = (pai: string, modelArts: string) => (name === 'PAI' ? pai : modelArts);

  it('answers what is not there, what is too large, and what is no JSON in its own shape', async () => {
    const url = await serve({ directory: somebody });
    const root = name === 'PAI' ? '/api/v1' : '/v1';
    expect(await ask(url, `${root}/none`)).toMatchObject({ status: 404, code: code('InvalidAction.NotFound', 'APIG.0101') }); // prettier-ignore
    expect(await ask(url, images, { method: 'PATCH' })).toMatchObject({ status: 405, code: code('InvalidAction.NotFound', 'APIG.0106') }); // prettier-ignore
    const post = (body: string, type: string) => ask(url, images, { method: 'POST', body, headers: { 'content-type': type } }); // prettier-ignore
    expect(await post('x'.repeat(1_100_000), 'application/json')).toMatchObject({ status: 413, code: code('BodyTooLarge', 'ModelArts.6400') }); // prettier-ignore
    expect(await post('<a/>', 'text/xml')).toMatchObject({ status: 415, code: code('UnsupportedMediaType', 'ModelArts.6400') }); // prettier-ignore
    expect(await post('{', 'application/json')).toMatchObject({ status: 400, code: code('MalformedJson', 'ModelArts.6400') }); // prettier-ignore
  });

  it('answers 503 without PostgreSQL, and keeps the reason to itself', async () => {
    const got = await ask(await serve(), images);
    expect(got).toMatchObject({ status: 503, code: code('ServiceUnavailable', 'ModelArts.0010') });
    expect(got.text).not.toContain('ECONNREFUSED');
  });

  it('answers 500 to a mistake of its own, and keeps the reason to itself', async () => {
    const broken = known(() => Promise.reject(new TypeError('a secret detail')));
    const got = await ask(await serve({ directory: broken }), images);
    expect(got).toMatchObject({ status: 500, code: code('InternalError', 'ModelArts.0010') });
    expect(got.text).not.toContain('secret detail');
  });

  it('answers 429 to too many', async () => {
    const url = await serve({ directory: somebody, perSecond: 1 });
    const answers = await Promise.all(Array.from({ length: 4 }, () => ask(url, `${images}/none/none`, { method: 'GET' }).then(() => ask(url, images)))); // prettier-ignore
    expect(answers.find((it) => it.status === 429)?.code).toBe(code('Throttling.User', 'APIG.0308'));
  });

  it('lets a stranger guess a few times only, and answers carry no leave for a browser to do anything', async () => {
    const nobodyKnown = known(() => Promise.resolve(undefined));
    const url = await serve({ directory: nobodyKnown, failures: 3 });
    const statuses: number[] = [];
    for (let n = 0; n < 6; n += 1) statuses.push((await ask(url, images)).status);
    expect(statuses).toEqual([401, 401, 401, 429, 429, 429]);
    // Who comes from the same address with good credentials waits, too; one with another address does not.
    const { headers } = await fetch(url + images);
    expect(headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('cache-control')).toBe('no-store');
    expect(headers.get('x-powered-by')).toBeNull();
  });
});
