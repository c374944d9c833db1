import { type IncomingMessage, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { newRequestId } from '@kiln/kit';
import { dialectOf, requestIdHeaders } from './dialect.ts';

const reasons: Record<string, [number, string]> = {
  HPE_HEADER_OVERFLOW: [431, 'the request line and its headers are too long'],
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'the request did not come in time'],
};

/**
 * Answers what Node's parser gives up on, before there is a request to answer: in the words of the dialect whose path
 * it seems to be for.
 */
export function answerUnreadable(error: Error & { code?: string; rawPacket?: Buffer }, socket: Duplex): void {
  if (!socket.writable || error.code === 'ECONNRESET') return void socket.destroy();
  const [status, message] = reasons[error.code ?? ''] ?? [400, 'the request cannot be read'];
  const id = newRequestId();
  const [, path = ''] = /^[A-Z]+ (\/[^ ?]*)/.exec(error.rawPacket?.subarray(0, 64).toString('latin1') ?? '') ?? [];
  const dialect = dialectOf(path);
  const body =
    dialect === 'modelarts'
      ? { error_code: 'ModelArts.0104', error_msg: message, request_id: id }
      : { RequestId: id, Code: 'InvalidParameter', Message: message };
  const text = JSON.stringify(body);
  socket.end(
    [
      `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
      'content-type: application/json; charset=utf-8',
      `content-length: ${Buffer.byteLength(text)}`,
      `${requestIdHeaders[dialect]}: ${id}`,
      'connection: close',
      '',
      text,
    ].join('\r\n'),
  );
}

/** Answers a request whose body does not come in time, and lets go of its connection. */
export const answerLate = ({ method = '', url = '', socket }: IncomingMessage): void =>
  answerUnreadable(
    Object.assign(new Error('late'), { code: 'ERR_HTTP_REQUEST_TIMEOUT', rawPacket: Buffer.from(`${method} ${url}`) }),
    socket,
  );
