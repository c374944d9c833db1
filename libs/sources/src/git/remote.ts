import type { Readable } from 'node:stream';

/**
 * A repository on another machine, by what `git-upload-pack` says there in version 0 of git's protocol, however it is
 * reached (gitprotocol-pack, gitprotocol-http).
 */
export interface GitRemote {
  /**
   * Its branches and tags, and what they stand for.
   * @throws Fault SourceDenied, SourceNotFound, SourceUnreachable, AddressNotAllowed
   */
  advertise(signal: AbortSignal): Promise<Readable>;
  /** Answers what one request of a client asks for, whole. */
  answer(request: Readable, signal: AbortSignal): Promise<Readable>;
  close(): Promise<void>;
}
