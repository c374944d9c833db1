import { type Secret } from '@kiln/kit';
import { type ParsedDockerfile } from './dockerfile.ts';

/** How an engine reaches one registry. */
export interface EngineRegistry {
  host: string;
  tlsMode: 'verify' | 'skip-verify' | 'http';
  caPem?: string | undefined;
  credentials?: { username: string; password: Secret } | undefined;
}

/** Told of the processes that carry a build, so that somebody else can end them when this process cannot. */
export interface ProcessWatch {
  started(pid: number): void;
  ended(pid: number): void;
}

export interface BuildRequest {
  /** Unique among the builds of this host; letters, digits and hyphens. */
  id: string;
  dockerfile: string;
  parsed: ParsedDockerfile;
  /** Folder that COPY and ADD read from. */
  contextDir: string;
  /** Folder for the engine's own files; the caller removes it afterwards. */
  workDir: string;
  /** Registries that bases may come from. */
  registries: EngineRegistry[];
  /** Called with each line that the build prints; the engine waits for it. */
  onLine(line: string): Promise<void>;
  signal: AbortSignal;
  watch?: ProcessWatch;
  buildArgs?: Record<string, string>;
  /** Stage to build; the last one when left out. */
  target?: string;
}

export interface PushRequest {
  workDir: string;
  registry: EngineRegistry;
  repository: string;
  onLine(line: string): Promise<void>;
  signal: AbortSignal;
  watch?: ProcessWatch;
}

/** An image in the engine's own store. */
export interface BuiltImage {
  id: string;
}

/** What executes a Dockerfile. Every engine passes the contract suite in `testing/`. */
export interface Engine {
  readonly name: string;
  /** @returns its version; @throws Fault EngineFailed when it cannot work here */
  check(): Promise<string>;
  /**
   * Builds an image into the engine's store.
   * @throws Fault with the failing step; the signal's reason when it was aborted. Either way no process of the build is left
   */
  build(request: BuildRequest): Promise<BuiltImage>;
  /**
   * Uploads a built image without touching any tag that somebody could be using.
   * @returns the digest of the pushed manifest
   * @throws Fault PushDenied or PushFailed
   */
  push(image: BuiltImage, request: PushRequest): Promise<{ digest: string }>;
  /** Whether a built image is still there. */
  has(image: BuiltImage): Promise<boolean>;
  /** Forgets a built image. */
  discard(image: BuiltImage): Promise<void>;
  /**
   * Removes what builds that ended without their engine left behind; only when no build is under way.
   * @param keep ids of built images that stay
   */
  reap(keep?: readonly string[]): Promise<void>;
}

/**
 * The one tag that pushes go to before the registrar sets the real one; nobody reads it. Registries before distribution 3
 * cannot delete a tag without its manifest, so a tag for each build would pile up.
 */
export const stagingTag = 'kiln-staging';
