import { consoleOperations } from './kiln/console-operations.ts';
import { accountOperations } from './kiln/account-operations.ts';
import { contextOperations } from './kiln/context-operations.ts';
import { inspectionOperations } from './kiln/inspection-operations.ts';
import { attestationOperations } from './kiln/attestation-operations.ts';
import { baseOperations } from './kiln/base-operations.ts';
import { campaignOperations } from './kiln/campaign-operations.ts';
import { retentionOperations } from './kiln/retention-operations.ts';
import { policyOperations } from './kiln/policy-operations.ts';
import { uploadOperations } from './kiln/upload-operations.ts';
import { eventOperations } from './kiln/event-operations.ts';
import { sessionOperations } from './kiln/session-operations.ts';
import { connectionOperations } from './kiln/connection-operations.ts';
import { identityOperations } from './kiln/identity-operations.ts';
import { webhookOperations } from './kiln/webhook-operations.ts';
import { modelArtsImageOperations } from './modelarts/image-operations.ts';
import { projectOperations } from './modelarts/project-operations.ts';
import { tokenOperations } from './modelarts/token-operations.ts';
import type { Operation } from './operation.ts';
import { buildOperations } from './pai/build-operations.ts';
import { paiImageOperations } from './pai/image-operations.ts';
import { jobOperations } from './pai/job-operations.ts';

/** Every call that Kiln answers. */
export const operations: readonly Operation[] = [
  buildOperations,
  paiImageOperations,
  jobOperations,
  modelArtsImageOperations,
  tokenOperations,
  projectOperations,
  sessionOperations,
  consoleOperations,
  accountOperations,
  contextOperations,
  uploadOperations,
  inspectionOperations,
  policyOperations,
  baseOperations,
  retentionOperations,
  campaignOperations,
  attestationOperations,
  eventOperations,
  identityOperations,
  connectionOperations,
  webhookOperations,
].flatMap((it) => Object.values<Operation>(it));
