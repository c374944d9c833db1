import { randomUUID } from 'node:crypto';
import { signAcs3, signSdkHmac } from '@kiln/auth';

export interface Answer {
  status: number;
  headers: Headers;
  // The tests and the demonstration read answers by name; their shapes are what is being looked at.
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  body: any;
  text: string;
}

export interface CallOptions {
  query?: Record<string, string>;
  body?: unknown;
  /** Sent as they are, after signing. */
  headers?: Record<string, string>;
}

export interface SignedClient {
  pai(method: string, path: string, options?: CallOptions): Promise<Answer>;
  modelarts(method: string, path: string, options?: CallOptions): Promise<Answer>;
}

const send = async (
  url: string,
  method: string,
  headers: Record<string, string | undefined>,
  body: Buffer,
): Promise<Answer> => {
  // fetch sets Host by itself, to the same value.
  const sent = Object.fromEntries(Object.entries(headers).filter(([name]) => name !== 'host'));
  const answer = await fetch(url, {
    method,
    headers: sent as Record<string, string>,
    ...(body.length > 0 ? { body: new Uint8Array(body) } : {}),
  });
  const text = await answer.text();
  const json =
    /json/.test(answer.headers.get('content-type') ?? '') && !/ndjson/.test(answer.headers.get('content-type') ?? '');
  return {
    status: answer.status,
    headers: answer.headers,
    text,
    body: json ? (JSON.parse(text) as unknown) : undefined,
  };
};

/** Signs and sends requests as the clouds' own clients do. */
export function openSignedClient(url: string, key: { accessKeyId: string; accessKeySecret: string }): SignedClient {
  const { host } = new URL(url);
  const parts = (path: string, { query = {}, body }: CallOptions) => ({
    path,
    query: new URLSearchParams(query).toString().replaceAll('+', '%20'),
    bytes: body === undefined ? Buffer.alloc(0) : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)),
  });
  return {
    pai(method, path, options = {}) {
      const { query, bytes } = parts(path, options);
      const headers = {
        host,
        'x-acs-date': `${new Date().toISOString().slice(0, 19)}Z`,
        'x-acs-signature-nonce': randomUUID(),
        ...(bytes.length > 0 ? { 'content-type': 'application/json; charset=utf-8' } : {}),
      };
      const signed = signAcs3({ method, path, query, headers, body: bytes }, key.accessKeyId, key.accessKeySecret);
      return send(`${url}${path}${query ? `?${query}` : ''}`, method, { ...signed, ...options.headers }, bytes);
    },
    modelarts(method, path, options = {}) {
      const { query, bytes } = parts(path, options);
      const date = `${new Date().toISOString().slice(0, 19).replace(/[-:]/g, '')}Z`;
      const headers = { host, 'x-sdk-date': date, 'content-type': 'application/json' };
      const signed = signSdkHmac({ method, path, query, headers, body: bytes }, key.accessKeyId, key.accessKeySecret);
      return send(`${url}${path}${query ? `?${query}` : ''}`, method, { ...signed, ...options.headers }, bytes);
    },
  };
}
