import type {
  buildOperations,
  consoleOperations,
  paiImageOperations,
  PathsOf,
  sessionOperations,
  webhookOperations,
} from '@kiln/contract';

export type { Reply } from '@kiln/contract';

/** What the console calls. */
type Called =
  | (typeof buildOperations)[keyof typeof buildOperations]
  | (typeof consoleOperations)[keyof typeof consoleOperations]
  | (typeof paiImageOperations)[keyof typeof paiImageOperations]
  | (typeof sessionOperations)[keyof typeof sessionOperations]
  | (typeof webhookOperations)[keyof typeof webhookOperations];

export type Paths = PathsOf<Called>;
