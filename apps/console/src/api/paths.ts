import type {
  buildOperations,
  campaignOperations,
  connectionOperations,
  consoleOperations,
  contextOperations,
  identityOperations,
  inspectionOperations,
  policyOperations,
  baseOperations,
  attestationOperations,
  paiImageOperations,
  PathsOf,
  retentionOperations,
  sessionOperations,
  webhookOperations,
} from '@kiln/contract';

export type { Reply } from '@kiln/contract';

/** What the console calls. */
type Called =
  | (typeof buildOperations)[keyof typeof buildOperations]
  | (typeof campaignOperations)[keyof typeof campaignOperations]
  | (typeof connectionOperations)[keyof typeof connectionOperations]
  | (typeof consoleOperations)[keyof typeof consoleOperations]
  | (typeof contextOperations)[keyof typeof contextOperations]
  | (typeof identityOperations)[keyof typeof identityOperations]
  | (typeof inspectionOperations)[keyof typeof inspectionOperations]
  | (typeof policyOperations)[keyof typeof policyOperations]
  | (typeof baseOperations)[keyof typeof baseOperations]
  | (typeof attestationOperations)[keyof typeof attestationOperations]
  | (typeof paiImageOperations)[keyof typeof paiImageOperations]
  | (typeof retentionOperations)[keyof typeof retentionOperations]
  | (typeof sessionOperations)[keyof typeof sessionOperations]
  | (typeof webhookOperations)[keyof typeof webhookOperations];

export type Paths = PathsOf<Called>;
