import type { Credential, Viewer } from '@kiln/persistence';

/** Who asks, and where alone the credentials are good. */
export interface Caller extends Viewer {
  onlyProjectId: string | null;
  /** What the caller signed with; null for a stranger. */
  credential: Credential | null;
  /** Whether the operators of its account run the installation. */
  operates: boolean;
  /** Of a browser's session; absent without one. */
  csrfToken?: string;
}
