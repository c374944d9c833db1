import { type Secret } from '@kiln/kit';
import { type Limits, type NetworkRules, type ParsedDockerfile, type Step, type StepResult } from '@kiln/domain';
import { type Ability } from './jail/jail.ts';
import { type ProcessWatch } from './process-watch.ts';

/** What every command of an engine is given. */
export interface EngineCall {
  /** Folder for the engine's own files; the caller removes it afterwards. */
  workDir: string;
  /** Called with each line that the command prints, and whether it was cut and goes on; the engine waits for it. */
  onLine(line: string, partial: boolean): Promise<void>;
  signal: AbortSignal;
  watch?: ProcessWatch;
}

/** An image that builds start from, as it is in its registry at this moment. */
export interface BaseImage {
  /** As the Dockerfile names it. */
  name: string;
  /** `host/repository@sha256:…`: a registry's word on a digest is good for what that registry holds, and no other. */
  id: string;
}

/** How far a build has come with a step. */
export interface StepRun {
  /** Its place among the Dockerfile's instructions, from 1. */
  number: number;
  step: Step;
  startedAt: Date;
  ended?: { at: Date; result: StepResult; exitCode?: number | undefined };
}

export interface BuildRequest extends EngineCall {
  /** Unique among the builds of this host; letters, digits and hyphens. */
  id: string;
  /** Whose layers may be used again; builds of others never see them. */
  owner: string;
  dockerfile: string;
  parsed: ParsedDockerfile;
  /** Folder that COPY and ADD read from. */
  contextDir?: string;
  /** Every image that the Dockerfile names; all have been fetched. */
  bases: readonly BaseImage[];
  limits: Limits;
  network: NetworkRules | 'none';
  /** What `RUN --mount=type=secret` may name. */
  secrets?: readonly { id: string; value: Secret }[];
  /** Whether layers of earlier builds of the owner may be used. */
  layerCache: boolean;
  /** Told when a step begins, before its first line, and when it ends. */
  onStep?: (run: StepRun) => void;
  buildArgs?: Record<string, string>;
  /** Stage to build; the last one when left out. */
  target?: string;
}

/** An image in the engine's own store. */
export interface BuiltImage {
  id: string;
}

/**
 * What executes a Dockerfile. Every engine passes the contract suite in `testing/`. It knows no registry but a
 * gateway's socket.
 */
export interface Engine {
  readonly name: string;
  /**
   * @returns its version, the name of its jail and what that enforces
   * @throws Fault EngineFailed when it cannot work here
   */
  check(): Promise<{ version: string; jail: string; enforces: Ability[] }>;
  hasBase(id: string): Promise<boolean>;
  /**
   * Takes an image from a gateway into the store of bases, which all builds share and none can write.
   * @throws Fault BaseImageTooLarge, EngineFailed
   */
  fetchBase(id: string, call: EngineCall & { gateway: string }): Promise<void>;
  /**
   * Builds an image into a store of its owner.
   * @throws Fault with the failing step; the signal's reason when it was aborted. Either way no process of the build is
   * left
   */
  build(request: BuildRequest): Promise<BuiltImage>;
  /**
   * Hands a built image to a gateway.
   * @throws Fault PushFailed
   */
  push(image: BuiltImage, call: EngineCall & { gateway: string }): Promise<void>;
  /** Whether a built image is still there. */
  has(image: BuiltImage): Promise<boolean>;
  /** Leaves a built image where it is, for a later push; its owner's other builds go on. */
  keep(image: BuiltImage): void;
  /** Forgets a built image. */
  discard(image: BuiltImage): Promise<void>;
  /**
   * Removes what builds that ended without their engine left behind; only when no build is under way.
   * @param keep ids of built images that stay
   */
  reap(keep?: readonly string[]): Promise<void>;
}

/**
 * The one tag that pushes go to before the registrar sets the real one; nobody reads it. Registries before distribution
 * 3 cannot delete a tag without its manifest, so a tag for each build would pile up.
 */
export const stagingTag = 'kiln-staging';
