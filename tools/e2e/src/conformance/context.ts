import type { Operation } from '@kiln/contract';
import type { TestKiln } from '@kiln/stack/testing';
import type { CloudClient, CloudError, CloudRequest } from './cloud-clients.ts';
import type { ConformanceRecord } from './record.ts';

/** What the checks of one client work with. */
export interface Conformance {
  kiln: () => TestKiln;
  client: () => CloudClient;
  /** Another user of the account, and one of another account, through the same kind of client. */
  member: () => CloudClient;
  stranger: () => CloudClient;
  record: ConformanceRecord;
  /** Makes names that differ from client to client. */
  named: (name: string) => string;
}

/** Calls and expects success. */
export async function succeed(client: CloudClient, operation: Operation, request?: CloudRequest): Promise<any> {
  const answer = await client.call(operation, request);
  if (answer.error)
    throw new Error(`${operation.name} through ${client.name}: ${answer.error.code} ${answer.error.message}`);
  return answer.reply;
}

/** Calls and expects a failure. */
export async function fail(client: CloudClient, operation: Operation, request?: CloudRequest): Promise<CloudError> {
  const answer = await client.call(operation, request);
  if (!answer.error) throw new Error(`${operation.name} through ${client.name} did not fail`);
  return answer.error;
}
