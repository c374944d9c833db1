import type { Readable } from 'node:stream';
import type { Secret } from '@kiln/kit';
import type { Compression, ContextEntry, Limits, NetworkRules, ParsedDockerfile, Step, StepResult } from '@kiln/domain';
import type { Ability } from './jail/abilities.ts';
import type { RegistryHandler } from './jail/door.ts';
import type { Repository } from './git/repository.ts';
import type { ProcessWatch } from './process-watch.ts';

/** An image that builds start from, as it is in its registry at this moment. */
export interface BaseImage {
  /** As the Dockerfile names it. */
  name: string;
  /** `host/repository@sha256:…`: a registry's word on a digest is good for what that registry holds, and no other. */
  id: string;
  /** `os/architecture` that it is for. */
  platform: string;
}

/** How far a build has come with a step. */
export interface StepRun {
  /** Its place among the Dockerfile's instructions, from 1. */
  number: number;
  step: Step;
  startedAt: Date;
  ended?: { at: Date; result: StepResult; exitCode?: number | undefined };
}

/** Files for COPY and ADD. */
export interface ContextFiles {
  /** In order: each folder before what is in it. */
  entries: readonly ContextEntry[];
  /** A file's content. Whoever gets it reads or destroys it. */
  read(sha256: string): Readable;
}

export interface BuildRequest {
  /** Unique among the builds of this host; lower-case letters, digits and hyphens. */
  id: string;
  /** Whose layers may be used again; builds of others never see them. */
  owner: string;
  dockerfile: string;
  parsed: ParsedDockerfile;
  /** What COPY and ADD read from; there is nothing when left out. */
  context?: ContextFiles | undefined;
  /** By their names in the Dockerfile. */
  namedContexts?: ReadonlyMap<string, ContextFiles>;
  /** `os/architecture[/variant]` that the image is for; the machine's own when left out. */
  platform?: string | undefined;
  /** Every image that the Dockerfile names; the gateway has all of them. */
  bases: readonly BaseImage[];
  limits: Limits;
  network: NetworkRules | 'none';
  /** What `RUN --mount=type=secret` may name. */
  secrets?: readonly { id: string; value: Secret }[];
  /** Whether layers of earlier builds of the owner may be used. */
  layerCache: boolean;
  /** Digest of a manifest that the gateway has, of layers that earlier builds of the owner have kept in a registry. */
  cacheFrom?: string | undefined;
  /** How new layers are packed. */
  compression: Compression;
  /** What the engine sees of registries: the bases to read, and where to write the image, once it is pushed. */
  registry: RegistryHandler;
  /** Told when a step begins, before its first line, and when it ends. */
  onStep?: (run: StepRun) => void;
  /**
   * Called with each line that is printed, whether it was cut and goes on, and the number of the step that it belongs
   * to, 0 for none; the engine waits for it.
   */
  onLine(line: string, partial: boolean, step: number): Promise<void>;
  buildArgs?: Record<string, string>;
  /** Of the image, over those of its Dockerfile. */
  labels?: Record<string, string>;
  /** Stage to build; the last one when left out. */
  target?: string;
  signal: AbortSignal;
  watch?: ProcessWatch;
}

/** A repository that a room's git fetches, by what `registry` answers below `/git/0`. */
export interface FetchRequest {
  /** Unique among the builds of this host; lower-case letters, digits and hyphens. */
  id: string;
  owner: string;
  network: NetworkRules | 'none';
  /** Answers `/git/NUMBER/…`: nothing else is reached by it. */
  registry: RegistryHandler;
  signal: AbortSignal;
}

/** An owner's room, as far as git is run in it. */
export interface GitRoom {
  /**
   * Fetches one commit of the repository with this number.
   * @throws Fault SourceInvalid, SourceUnreachable, ContextTooLarge
   */
  fetch(number: number, commit: string): Promise<Repository>;
  close(): void;
}

/** An image whose steps have all run. */
export interface BuiltImage {
  /**
   * Sends it to the gateway; once more after a failure, from what is cached.
   * @param compression of new layers, when it is not to be the request's
   * @returns the digest of its manifest
   * @throws Fault PushFailed
   */
  push(compression?: Compression): Promise<string>;
  /**
   * Sends the layers of all its steps to the gateway, for `cacheFrom` of later builds; once the image was sent.
   * @throws what the daemon says; the signal's reason when it was aborted
   */
  sendCache(signal: AbortSignal): Promise<void>;
  /** Forgets it; its layers stay for the owner's next builds. */
  discard(): Promise<void>;
}

/** What an engine has running, and what it keeps. */
export interface EngineUsage {
  /** Rooms that are there, and those of them in which something is built. */
  rooms: number;
  busy: number;
  /** How often a build found its room warm, and how often it had to be started. */
  warmStarts: number;
  coldStarts: number;
  /** Stores that were thrown away since a daemon could not live with them. */
  storesLost: number;
  /** What the stores of each owner take of the disk; the largest first. */
  caches: { owner: string; bytes: number; usedAt: Date }[];
}

/**
 * What executes a Dockerfile. Every engine passes the contract suite in `testing/`. It knows no registry but the
 * gateway's.
 */
export interface Engine {
  readonly name: string;
  /**
   * @returns its version, the name of its jail and what that enforces
   * @throws Fault EngineFailed when it cannot work here
   */
  check(): Promise<{ version: string; jail: string; enforces: Ability[] }>;
  /**
   * Runs a build's steps.
   * @throws Fault with the failing step; the signal's reason when it was aborted. Either way no process of the build is
   * left
   */
  build(request: BuildRequest): Promise<BuiltImage>;
  /** Takes the owner's room, to fetch repositories in it: their bytes are never looked at outside. */
  openGit(request: FetchRequest): Promise<GitRoom>;
  usage: () => Promise<EngineUsage>;
  /** Removes what is kept of an owner's builds, once none of them runs. */
  forget: (owner: string) => Promise<void>;
  /** Removes what a process that ended without a word left behind; only before the first build. */
  reap: () => Promise<void>;
  close: () => Promise<void>;
}
