import type { DriftErrors } from '../images/drift.ts';

/**
 * What follows when an image fails a profile. `off`: nothing is held against it; `note`: the image shows it, and an event
 * tells it; `warn`: its status message, too; `refuse`: the image is in ERROR, and a build's tag is not moved.
 */
export const policyModes = ['off', 'note', 'warn', 'refuse'] as const;
export type PolicyMode = (typeof policyModes)[number];

/** When documents are attached to images of builds: never, once the image is ACTIVE, or before its tag is set. */
export const attestModes = ['off', 'after', 'before'] as const;
export type AttestMode = (typeof attestModes)[number];

/** How far the documents of an image have come. */
export const attestationStates = ['waiting', 'writing', 'done', 'failed'] as const;

/** What a workspace asks of its images. */
export interface ImagePolicy {
  mode: PolicyMode;
  /** Profiles that every image is held against; those that an image is meant for where none is named. */
  profiles: string[];
  /** For how long an image waits to be read before it becomes ACTIVE, in seconds, where `refuse` asks for that. */
  waitSeconds: number;
  attest: AttestMode;
  /** Whether signatures are written in the form of cosign before version 3, too: `sha256-….sig` and `….att`. */
  cosignTags: boolean;
  /** Which drift makes an image an ERROR. */
  errorOnDrift: DriftErrors;
}

/** Below the clock of a registration, 900 s. */
export const waitSecondsMax = 600;

/** That of a workspace for which nobody has set one. */
export const defaultPolicy: ImagePolicy = {
  mode: 'note',
  profiles: [],
  waitSeconds: 300,
  attest: 'after',
  cosignTags: false,
  errorOnDrift: 'gone',
};
