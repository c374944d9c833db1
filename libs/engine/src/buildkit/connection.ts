import { once } from 'node:events';
import { isIP, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import {
  CallCredentials,
  type ChannelOptions,
  ChannelCredentials,
  type Client,
  type ClientDuplexStream,
  type ClientReadableStream,
  Metadata,
  type ServiceError,
} from '@grpc/grpc-js';
import type { EngineRoot } from '../jail/engine-root.ts';
import { limitHeaders } from './header-limit.ts';
import { Control, LLBBridge } from './proto.ts';
import type { FrontendRequest, Result, SolveRequest, StatusResponse } from './messages.ts';

/** A daemon's answers are its own affair: none may be larger than this. */
const answerBytesMax = 16 << 20;
const channelOptions: ChannelOptions = {
  'grpc.max_receive_message_length': answerBytesMax,
  'grpc.max_send_message_length': answerBytesMax,
  'grpc.default_authority': 'localhost',
  'grpc.enable_http_proxy': 0,
};

/** PEM: the authority that daemons have their certificates of, and what this builder shows them. */
export interface MutualTls {
  ca: string;
  cert: string;
  key: string;
}

/** Where a daemon listens: on a socket of this machine, or elsewhere. */
export interface DaemonAddress {
  daemon: EngineRoot['daemon'];
  /** Path of a socket, or `host:port`. */
  at: { socket: string } | { host: string; port: number };
  tls?: MutualTls | undefined;
}

/**
 * One connection, made before anybody's steps run, and none after it: what lies where the socket was is then the room's
 * own affair. Docker's daemon speaks HTTP/1.1 first, and gRPC on a connection that asks for it.
 */
class OneConnection extends ChannelCredentials {
  readonly #address: DaemonAddress;
  #made = false;

  constructor(address: DaemonAddress) {
    super();
    this.#address = address;
  }

  override _isSecure(): boolean {
    return false;
  }
  override _equals(other: ChannelCredentials): boolean {
    return other === this;
  }
  override _createSecureConnector() {
    return {
      connect: async (socket: Socket) => {
        if (this.#made) throw new Error('the daemon closed its connection');
        const open = await greeted(socket, this.#address);
        this.#made = true;
        // HTTP/2 takes any stream.
        return { socket: limitHeaders(open) as Socket, secure: false };
      },
      waitForReady: () => Promise.resolve(),
      getCallCredentials: () => CallCredentials.createEmpty(),
      destroy: () => undefined,
    };
  }
}

/** How long a daemon may take to greet back. */
const greetingMs = 10_000;

/** The stream that gRPC is spoken on. @throws Error when the daemon does not greet back */
async function greeted(socket: Socket, address: DaemonAddress): Promise<Socket> {
  const late = setTimeout(
    () => socket.destroy(new Error(`it has not greeted back within ${greetingMs} ms`)),
    greetingMs,
  );
  try {
    const inner = await secured(socket, address);
    return address.daemon === 'dockerd' ? await upgrade(inner) : inner;
  } finally {
    clearTimeout(late);
  }
}

/** The connection within TLS, where the address asks for that. @throws Error when one side does not accept the other */
async function secured(socket: Socket, { daemon, at, tls }: DaemonAddress): Promise<Socket> {
  if (!tls || !('host' in at)) return socket;
  const { host } = at;
  const protocol = daemon === 'dockerd' ? 'http/1.1' : 'h2';
  const name = isIP(host) ? {} : { servername: host };
  const open = connectTls({ socket, ...tls, ...name, host, ALPNProtocols: [protocol], minVersion: 'TLSv1.2' });
  await once(open, 'secureConnect');
  return open;
}

const answerHeadMax = 4096;

function upgrade(socket: Socket): Promise<Socket> {
  socket.write('POST /grpc HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n');
  return new Promise((resolve, reject) => {
    let head = Buffer.alloc(0);
    const read = (): void => {
      for (let bytes: Buffer | null; (bytes = socket.read() as Buffer | null);) {
        head = Buffer.concat([head, bytes]);
        const end = head.indexOf('\r\n\r\n');
        if (end < 0 && head.length < answerHeadMax) continue;
        socket.off('readable', read);
        if (end < 0 || !head.toString('latin1').startsWith('HTTP/1.1 101 '))
          return reject(new Error(`the daemon does not speak gRPC: ${head.toString('latin1').slice(0, 100)}`));
        if (head.length > end + 4) socket.unshift(head.subarray(end + 4));
        return resolve(socket);
      }
    };
    socket.on('readable', read);
    socket.once('close', () => reject(new Error('the daemon closed the connection')));
    socket.once('error', reject);
  });
}

/** The bytes of a session, both ways. */
export type SessionStream = ClientDuplexStream<{ data: Buffer }, { data: Buffer }>;

/** A daemon's BuildKit. A call ends with its signal, and throws what gRPC calls a ServiceError. */
export interface Connection {
  info(): Promise<{ version: string }>;
  solve(request: SolveRequest, signal: AbortSignal): Promise<Record<string, string>>;
  status(ref: string): ClientReadableStream<StatusResponse>;
  session(metadata: Metadata): SessionStream;
  /** Has a frontend make a build's graph. */
  convert(request: FrontendRequest, build: Metadata, signal: AbortSignal): Promise<Result>;
  /** Runs what a result needs. */
  evaluate(ref: string, build: Metadata, signal: AbortSignal): Promise<void>;
  /** Says what the build comes to, or why it cannot. */
  finish(result: Result | Error, build: Metadata, signal: AbortSignal): Promise<void>;
  close(): void;
}

type Method = (
  request: object,
  metadata: Metadata,
  done: (error: ServiceError | null, answer: object) => void,
) => {
  cancel(): void;
};

export function connect(address: DaemonAddress): Connection {
  const { at } = address;
  const target =
    'socket' in at ? `unix:${at.socket}` : `dns:${at.host.includes(':') ? `[${at.host}]` : at.host}:${at.port}`;
  const credentials = new OneConnection(address);
  const control = new Control(target, credentials, channelOptions);
  const bridge = new LLBBridge(target, credentials, channelOptions);
  const call = <T>(client: Client, name: string, request: object, metadata: Metadata, signal?: AbortSignal) =>
    new Promise<T>((resolve, reject) => {
      signal?.throwIfAborted();
      const method = (client as unknown as Record<string, Method>)[name] as Method;
      const cancel = (): void => running.cancel();
      const running = method.call(client, request, metadata, (error, answer) => {
        signal?.removeEventListener('abort', cancel);
        if (error) reject(error);
        else resolve(answer as T);
      });
      signal?.addEventListener('abort', cancel, { once: true });
    });
  const stream = <T>(name: string, argument: object): T =>
    (control as unknown as Record<string, (argument: object) => T>)[name]?.call(control, argument) as T;
  const nothing = () => new Metadata();

  return {
    async info() {
      const { buildkitVersion } = await call<{ buildkitVersion: { version: string } | null }>(
        control, 'Info', {}, nothing(),
      ); // prettier-ignore
      return { version: buildkitVersion?.version ?? '' };
    },
    async solve(request, signal) {
      type Answer = { ExporterResponse: Record<string, string> };
      return (await call<Answer>(control, 'Solve', request, nothing(), signal)).ExporterResponse;
    },
    status: (ref) => stream<ClientReadableStream<StatusResponse>>('Status', { Ref: ref }),
    session: (metadata) => stream<SessionStream>('Session', metadata),
    async convert(request, build, signal) {
      return (
        (await call<{ result: Result | null }>(bridge, 'Solve', request, build, signal)).result ?? { metadata: {} }
      );
    },
    evaluate: (ref, build, signal) => call(bridge, 'Evaluate', { Ref: ref }, build, signal),
    finish: (result, build, signal) =>
      call(bridge, 'Return', result instanceof Error ? { error: { code: 2, message: result.message } } : { result },
        build, signal), // prettier-ignore
    close() {
      control.close();
      bridge.close();
    },
  };
}

/** Asks a daemon whether it is there. @returns why it is not, when it has not answered well within a time */
export async function askDaemon(connection: Connection, ms: number): Promise<unknown> {
  const late = sleep(ms, new Error(`it has not answered within ${ms} ms`), { ref: false });
  const info = connection.info().then(
    () => undefined,
    (error: unknown) => error,
  );
  return Promise.race([info, late]);
}
