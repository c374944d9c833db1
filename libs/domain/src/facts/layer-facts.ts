/** A file, folder or link of a layer that says something about the image. */
export interface SeenEntry {
  path: string;
  type: 'file' | 'folder' | 'link';
  mode: number;
  uid: number;
  gid: number;
  size?: number;
  /** Where a link leads, as it is written there. */
  target?: string;
  elf?: ElfFacts;
}

/** What the head of a program or library tells. */
export interface ElfFacts {
  /** OCI's name of the architecture; undefined for one that OCI has no name for. */
  arch: string | undefined;
}

export const packageTypes = ['deb', 'apk', 'rpm', 'pypi', 'conda', 'npm', 'jar', 'go', 'cargo'] as const;
export type PackageType = (typeof packageTypes)[number];

/** Packages that one file (a database) or one folder tells of. */
export interface PackageSource {
  path: string;
  type: PackageType;
  /** Name and version. */
  packages: [name: string, version: string][];
}

/** A small file, of which its words are needed. */
export interface SeenText {
  path: string;
  text: string;
}

/** What was read of one layer, once: it is the same for all images that have it. */
export interface LayerFacts {
  entries: SeenEntry[];
  packages: PackageSource[];
  texts: SeenText[];
  /** Files that look like keys; never what is in them. */
  secrets: { path: string; kind: string }[];
  /** The largest files, the largest first. */
  largest: { path: string; size: number }[];
  /** Paths of lower layers that are not there any more. */
  whiteouts: string[];
  /** Folders of which only what this layer has is there. */
  opaque: string[];
  files: number;
  /** Of all files, unpacked. */
  bytes: number;
  /** More was there than is kept: what is not found here may be there. */
  cut: boolean;
}

/** Facts of a layer of which nothing has been read. */
export const noFacts = (): LayerFacts => ({
  entries: [],
  packages: [],
  texts: [],
  secrets: [],
  largest: [],
  whiteouts: [],
  opaque: [],
  files: 0,
  bytes: 0,
  cut: false,
});

/** Of this many largest files, paths are kept. */
export const largestMax = 20;

/** How an image is run, by its config. */
export interface RunConfig {
  user: string;
  workingDir: string;
  entrypoint: string[];
  cmd: string[];
  env: string[];
  /** `8080/tcp` */
  ports: string[];
  volumes: string[];
  labels: Record<string, string>;
}

/** A layer in an image. */
export interface ImageLayer {
  digest: string;
  /** Compressed bytes. */
  size: number;
  instruction: string;
  facts: LayerFacts;
}
