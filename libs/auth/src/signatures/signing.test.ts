import { createHash } from 'node:crypto';
import { Fault } from '@kiln/domain';
import { parseAcs3, signAcs3, verifyAcs3 } from './acs3.ts';
import { parseSdkHmac, signSdkHmac, verifySdkHmac } from './sdk-hmac.ts';
import type { SignedRequest } from './signed-request.ts';

const now = Date.parse('2026-01-02T03:04:05Z');
const code = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    if (error instanceof Fault) return error.code;
    throw error;
  }
  return 'none';
};

const acs3 = (change: Partial<SignedRequest> = {}): SignedRequest => ({
  method: 'POST',
  path: '/api/v1/imagebuilds',
  query: 'ClientToken=a%20b*&Empty=',
  headers: {
    host: '127.0.0.1:8080',
    'content-type': 'application/json; charset=utf-8',
    'x-acs-action': 'CreateImageBuild',
    'x-acs-date': '2026-01-02T03:04:05Z',
    'x-acs-signature-nonce': 'n1',
  },
  body: Buffer.from('{"a":1}'),
  ...change,
});

const signedAcs3 = (request = acs3()): SignedRequest => ({ ...request, headers: signAcs3(request, 'AK', 'SK') });
const checkAcs3 = (request: SignedRequest, secret = 'SK', at = now) =>
  verifyAcs3(request, parseAcs3(request.headers['authorization'] ?? ''), secret, at);

describe('ACS3-HMAC-SHA256', () => {
  // The example of the vendor's signature page.
  it("verifies the vendor's published request", () => {
    const request: SignedRequest = {
      method: 'POST',
      path: '/',
      query: 'ImageId=win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd&RegionId=cn-shanghai',
      headers: {
        host: 'ecs.cn-shanghai.aliyuncs.com',
        'x-acs-action': 'RunInstances',
        'x-acs-content-sha256': createHash('sha256').update('').digest('hex'),
        'x-acs-date': '2023-10-26T10:22:32Z',
        'x-acs-signature-nonce': '3156853299f313e23d1673dc12e1703d',
        'x-acs-version': '2014-05-26',
        authorization:
          'ACS3-HMAC-SHA256 Credential=YourAccessKeyId,SignedHeaders=host;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version,Signature=06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0',
      },
      body: Buffer.alloc(0),
    };
    expect(checkAcs3(request, 'YourAccessKeySecret', Date.parse('2023-10-26T10:25:00Z'))).toBe(
      '3156853299f313e23d1673dc12e1703d',
    );
  });

  it('takes its own signature and refuses each altered part', () => {
    const good = signedAcs3();
    expect(checkAcs3(good)).toBe('n1');
    expect(code(() => checkAcs3({ ...good, method: 'PUT' }))).toBe('SignatureDoesNotMatch');
    expect(code(() => checkAcs3({ ...good, path: '/api/v1/images' }))).toBe('SignatureDoesNotMatch');
    expect(code(() => checkAcs3({ ...good, query: 'ClientToken=other' }))).toBe('SignatureDoesNotMatch');
    expect(code(() => checkAcs3({ ...good, body: Buffer.from('{"a":2}') }))).toBe('SignatureDoesNotMatch');
    expect(code(() => checkAcs3({ ...good, headers: { ...good.headers, host: 'elsewhere' } }))).toBe(
      'SignatureDoesNotMatch',
    );
    expect(code(() => checkAcs3(good, 'wrong'))).toBe('SignatureDoesNotMatch');
  });

  it('refuses a clock more than 15 minutes away, either side', () => {
    const good = signedAcs3();
    expect(code(() => checkAcs3(good, 'SK', now + 899_000))).toBe('none');
    expect(code(() => checkAcs3(good, 'SK', now + 901_000))).toBe('SignatureExpired');
    expect(code(() => checkAcs3(good, 'SK', now - 901_000))).toBe('SignatureExpired');
  });

  it('demands that every x-acs header received is signed', () => {
    const good = signedAcs3();
    expect(code(() => checkAcs3({ ...good, headers: { ...good.headers, 'x-acs-extra': '1' } }))).toBe(
      'IncompleteSignature',
    );
    expect(code(() => parseAcs3('ACS3-HMAC-SHA256 Credential=a'))).toBe('IncompleteSignature');
  });
});

describe('SDK-HMAC-SHA256', () => {
  const request: SignedRequest = {
    method: 'GET',
    path: '/v1/0123/images/a b',
    query: 'name=x&limit=2&name=a',
    headers: { host: '127.0.0.1', 'x-sdk-date': '20260102T030405Z', 'content-type': 'application/json' },
    body: Buffer.alloc(0),
  };
  const check = (it: SignedRequest, secret = 'SK', at = now) =>
    verifySdkHmac(it, parseSdkHmac(it.headers['authorization'] ?? ''), secret, at);
  const good = { ...request, headers: signSdkHmac(request, 'AK', 'SK') };

  // The example of the vendor's signing guide.
  it("verifies the vendor's published request", () => {
    const published: SignedRequest = {
      method: 'GET',
      path: '/v1/77b6a44cba5143ab91d13ab9a8ff44fd/vpcs',
      query: 'limit=2&marker=13551d6b-755d-4757-b956-536f674975c0',
      headers: {
        host: 'service.region.example.com',
        'content-type': 'application/json',
        'x-sdk-date': '20191115T033655Z',
        authorization:
          'SDK-HMAC-SHA256 Access=QTWAOYTTINDUT2QVKYUC, SignedHeaders=content-type;host;x-sdk-date, Signature=7be6668032f70418fcc22abc52071e57aff61b84a1d2381bb430d6870f4f6ebe',
      },
      body: Buffer.alloc(0),
    };
    expect(() =>
      check(published, 'MFyfvK41ba2giqM7Uio6PznpdUKGpownRZlmVmHc', Date.parse('2019-11-15T03:37:00Z')),
    ).not.toThrow();
  });

  it('takes its own signature and refuses each altered part', () => {
    expect(code(() => check(good))).toBe('none');
    expect(code(() => check({ ...good, query: 'name=y' }))).toBe('SignatureDoesNotMatch');
    expect(code(() => check({ ...good, body: Buffer.from('x') }))).toBe('SignatureDoesNotMatch');
    expect(code(() => check(good, 'wrong'))).toBe('SignatureDoesNotMatch');
    expect(code(() => check(good, 'SK', now + 901_000))).toBe('SignatureExpired');
  });

  it('refuses a body that is declared as not signed', () => {
    const unsigned = { ...request, headers: { ...request.headers, 'x-sdk-content-sha256': 'UNSIGNED-PAYLOAD' } };
    expect(code(() => check({ ...unsigned, headers: signSdkHmac(unsigned, 'AK', 'SK') }))).toBe(
      'SignatureDoesNotMatch',
    );
  });
});
