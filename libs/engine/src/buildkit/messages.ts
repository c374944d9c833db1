/** Messages of `proto/` as they come and go here. All that comes was made by a daemon that nobody trusts. */

export interface Timestamp {
  seconds: number;
  nanos: number;
}

export interface Vertex {
  digest: string;
  inputs: string[];
  name: string;
  cached: boolean;
  started: Timestamp | null;
  completed: Timestamp | null;
  error: string;
}

/** What the frontend finds wrong with a Dockerfile that builds all the same. */
export interface Warning {
  short: Buffer;
  ranges: Range[];
}

export interface StatusResponse {
  vertexes: Vertex[];
  logs: { vertex: string; timestamp: Timestamp | null; stream: number; msg: Buffer }[];
  warnings: Warning[];
}

export interface SolveRequest {
  Ref: string;
  Session: string;
  Frontend: string;
  ExporterDeprecated?: string;
  ExporterAttrsDeprecated?: Record<string, string>;
  Cache?: { Exports: { Type: string; Attrs: Record<string, string> }[] };
  Entitlements: string[];
  Internal: boolean;
}

export interface Range {
  start: { line: number } | null;
  end: { line: number } | null;
}

export interface Definition {
  def: Buffer[];
  metadata: Record<string, { description?: Record<string, string>; caps?: Record<string, boolean> }>;
  Source?: { locations: Record<string, { locations: { ranges: Range[] }[] }> } | null;
}

export interface Op {
  inputs: { digest: string; index: number }[];
  exec?: { network: number; security: number };
  source?: { identifier: string };
  file?: { actions: object[] };
}

export interface Ref {
  id: string;
  def?: Definition | null;
}

/** One image, or one for each platform. */
export interface Result {
  ref?: Ref;
  refs?: { refs: Record<string, Ref> };
  metadata: Record<string, Buffer>;
}

export interface FrontendRequest {
  Frontend: string;
  FrontendOpt: Record<string, string>;
  FrontendInputs: Record<string, Definition>;
  allowResultReturn: boolean;
  allowResultArrayRef: boolean;
}

/** `modTime` is a decimal number of nanoseconds. */
export interface FileStat {
  path: string;
  mode: number;
  uid: number;
  gid: number;
  size: number;
  modTime: string;
  linkname: string;
}

export interface Packet {
  type: number;
  stat?: FileStat;
  /** Which of the files that were listed. */
  ID?: number;
  data?: Buffer;
}

export const packetTypes = { stat: 0, request: 1, data: 2, end: 3, error: 4 } as const;
