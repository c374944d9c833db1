import { Duplex } from 'node:stream';
import {
  Metadata,
  type sendUnaryData,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerUnaryCall,
  status,
} from '@grpc/grpc-js';
import type { Secret } from '@kiln/kit';
import type { ContextFiles } from '../engine.ts';
import type { Connection, SessionStream } from './connection.ts';
import { sendFiles, sharedKeyOf } from './context-files.ts';
import type { Packet } from './messages.ts';
import { sessionServices } from './proto.ts';

/** What one build's daemon may ask for while it runs, and nothing else. */
export interface SessionOptions {
  id: string;
  /** Of the gateway, which is the only registry with a password. */
  registry: { host: string; password: string };
  secrets: readonly { id: string; value: Secret }[];
  /** What COPY and ADD read from; nothing when left out. */
  context: ContextFiles | undefined;
  namedContexts: ReadonlyMap<string, ContextFiles>;
}

/** What the daemon calls the folder of a named context: it has names of its own, too. */
export const folderOf = (name: string): string => `named-${name}`;

const methods = [
  '/grpc.health.v1.Health/Check',
  '/moby.filesync.v1.Auth/Credentials',
  '/moby.filesync.v1.FileSync/DiffCopy',
  '/moby.buildkit.secrets.v1.Secrets/GetSecret',
];

/** A stream of messages as one of bytes. */
function bytesOf(stream: SessionStream): Duplex {
  const duplex = new Duplex({
    write(chunk: Buffer, _encoding, done) {
      stream.write({ data: chunk }, () => done());
    },
    read: () => void stream.resume(),
    final(done) {
      stream.end();
      done();
    },
  });
  stream.on('data', ({ data }: { data: Buffer }) => {
    if (!duplex.push(data)) stream.pause();
  });
  stream.on('end', () => duplex.push(null));
  // Its end says nothing that the build does not say better.
  stream.on('error', () => duplex.destroy());
  duplex.on('error', () => undefined);
  return duplex;
}

type Unary<In, Out> = (call: ServerUnaryCall<In, Out>, done: sendUnaryData<Out>) => void;

/** Serves a build's session, over a connection that the daemon calls back on. */
export function openSession(
  connection: Connection,
  { id, registry, secrets, context, namedContexts }: SessionOptions,
): { close(): void } {
  const server = new Server({ 'grpc.max_receive_message_length': 1 << 20 });
  const check: Unary<object, { status: number }> = (_call, done) => done(null, { status: 1 });
  const credentials: Unary<{ Host: string }, { Username: string; Secret: string }> = ({ request }, done) =>
    done(
      null,
      request.Host === registry.host ? { Username: 'kiln', Secret: registry.password } : { Username: '', Secret: '' },
    );
  const secret: Unary<{ ID: string }, { data: Buffer }> = ({ request }, done) => {
    const found = secrets.find((it) => it.id === request.ID);
    if (found) done(null, { data: Buffer.from(found.value.reveal()) });
    else done({ code: status.NOT_FOUND, details: `there is no secret ${JSON.stringify(request.ID.slice(0, 100))}` });
  };
  const folders = new Map([...namedContexts].map(([name, it]) => [folderOf(name), it]));
  const files = (call: ServerDuplexStream<Packet, Packet>): void =>
    sendFiles(call, folders.get(String(call.metadata.get('dir-name')[0])) ?? context);
  server.addService(sessionServices.health, { Check: check });
  server.addService(sessionServices.auth, { Credentials: credentials });
  server.addService(sessionServices.secrets, { GetSecret: secret });
  server.addService(sessionServices.files, { DiffCopy: files });

  const metadata = new Metadata();
  metadata.set('x-docker-expose-session-uuid', id);
  metadata.set('x-docker-expose-session-name', 'kiln');
  metadata.set('x-docker-expose-session-sharedkey', sharedKeyOf(context, namedContexts));
  for (const it of methods) metadata.add('x-docker-expose-session-grpc-method', it);
  const stream = connection.session(metadata);
  server.createConnectionInjector(ServerCredentials.createInsecure()).injectConnection(bytesOf(stream));
  return {
    close() {
      stream.cancel();
      server.forceShutdown();
    },
  };
}
