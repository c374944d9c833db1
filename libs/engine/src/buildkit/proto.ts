import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { loadPackageDefinition, type ServiceClientConstructor, type ServiceDefinition } from '@grpc/grpc-js';
import { loadSync, type MessageTypeDefinition } from '@grpc/proto-loader';
import type { Op } from './messages.ts';

const options = {
  includeDirs: [join(import.meta.dirname, '../../proto')],
  keepCase: true,
  longs: Number,
  enums: Number,
  bytes: Buffer,
  defaults: true,
  oneofs: true,
};
const definitions = loadSync(
  ['control.proto', 'frontend.proto', 'session.proto', 'secrets.proto', 'health.proto'],
  options,
);
const packages = loadPackageDefinition(definitions) as unknown as {
  moby: {
    buildkit: {
      v1: { Control: ServiceClientConstructor; frontend: { LLBBridge: ServiceClientConstructor } };
      secrets: { v1: { Secrets: ServiceClientConstructor } };
    };
    filesync: { v1: { Auth: ServiceClientConstructor; FileSync: ServiceClientConstructor } };
  };
  grpc: { health: { v1: { Health: ServiceClientConstructor } } };
};

/** What the daemon serves. */
export const { Control } = packages.moby.buildkit.v1;
export const { LLBBridge } = packages.moby.buildkit.v1.frontend;

/** What a build's session serves. */
export const sessionServices = {
  auth: packages.moby.filesync.v1.Auth.service,
  files: packages.moby.filesync.v1.FileSync.service,
  secrets: packages.moby.buildkit.secrets.v1.Secrets.service,
  health: packages.grpc.health.v1.Health.service,
} satisfies Record<string, ServiceDefinition>;

/** An operation of a build's graph, as bytes and back. */
export const opType = definitions['pb.Op'] as unknown as MessageTypeDefinition<object, Op>;

/** What an operation is called: the digest of its bytes. */
export const digestOf = (bytes: Buffer): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
