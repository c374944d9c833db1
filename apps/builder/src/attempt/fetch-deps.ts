import type { Sealer } from '@kiln/auth';
import type { Engine } from '@kiln/engine';
import type { Sources } from '@kiln/sources';
import type { ContextDeps } from '@kiln/usecases';

/** What contexts are fetched with. */
export interface FetchDeps extends ContextDeps {
  engine: Engine;
  sealer: Sealer;
  sources: Sources;
}
