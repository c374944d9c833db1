import type { Visibility } from '../access/visibility.ts';
import type { Label } from '../images/label.ts';

export const poolTypes = ['Lingjun'] as const;
export type PoolType = (typeof poolTypes)[number];

/** What a request asks for to build with. */
export interface ResourceRequest {
  /** Name of a resource class. */
  class?: string;
  /** Over what the class gives: `4` or `500m` of processors, `8Gi` of memory. */
  amounts?: { cpu?: string; memory?: string };
  /** Name of a pool of builders. */
  pool?: string;
  poolType?: PoolType;
}

/** The network that a request asks for. */
export interface NetworkRequest {
  name?: string;
  /** Part of the network; it changes nothing here. */
  subnet?: string;
  group?: string;
  /** Blocks to open besides. */
  openBlocks?: string[];
  route?: 'eth0' | 'eth1';
}

/** Where a builder fetches a context from. What of it is meant is settled when the build is accepted. */
export type ContextSource =
  | {
      type: 'git';
      url: string;
      /** Branch, tag or commit that was asked for; the repository's own default when left out. */
      ref?: string;
      commit?: string;
      /** Of the commit, once a builder has fetched it: `name <address>`, and the first line of its message. */
      author?: string;
      subject?: string;
      submodules?: true;
      /** Whether files that are kept apart, as git's LFS does, are fetched too. */
      lfs?: true;
    }
  | {
      type: 'object';
      url: string;
      /** Of the archive: its sender says it, or else the server's mark of this version is taken. */
      sha256?: string;
      etag?: string;
    };

/** Files for COPY and ADD. */
export interface ContextRequest {
  /** `sha256:…` of one that is kept; what comes from a source has none until a builder has fetched it. */
  id?: string;
  source?: ContextSource;
  /** Folder in it that the build sees, with slashes between its parts and none at its ends. */
  subPath?: string;
  /** Where the Dockerfile is in that folder, when it comes from there. */
  dockerfile?: string;
}

/** What `FROM`, `COPY --from` and `RUN --mount` take for a name: other files, or an image. */
export type NamedContext = Omit<ContextRequest, 'dockerfile'> | { image: string };

/** What a build is asked to do, as it was accepted: without credentials, of which only the hosts remain. */
export interface BuildRequest {
  /** What its sender calls the build; the image's name when left out. */
  title?: string;
  dockerfile: string;
  /** There are no files to copy when it is left out. */
  context?: ContextRequest;
  /** By the names that the Dockerfile has for them, which stand for stages and images otherwise. */
  namedContexts?: Record<string, NamedContext>;
  /** `os/architecture` that the image is for; the builder's own when left out. */
  platform?: string;
  /** Values for the Dockerfile's ARGs. */
  arguments?: Record<string, string>;
  /** Labels of the image itself, over those of its Dockerfile; the catalogue has others. */
  imageLabels?: Record<string, string>;
  /** Stage to build; the last one when left out. */
  stage?: string;
  /** Whether steps of earlier builds are not to be used. */
  noCache?: true;
  /** Whether the Dockerfile may hold anything, or install packages only. */
  form: 'any' | 'packages';
  image: { name: string; description?: string; labels: Label[] };
  target: {
    /** The registry connection by which it is pushed. */
    connection: string;
    /** `host/repository:tag` */
    reference: string;
    /** Whether a tag that exists may be moved. */
    overwrite: boolean;
  };
  visibility: Visibility;
  workspaceId: string;
  resources: ResourceRequest;
  network?: NetworkRequest;
  /** Registries whose credentials came with the request. */
  registryHosts: string[];
  /** The cloud's region; it changes nothing here. */
  region?: string;
}

/** What senders call the fields of a request, for errors and notes that name one. */
export const requestFields = {
  workspace: 'WorkspaceId',
  dockerfile: 'BuildConfig.Dockerfile',
  form: 'BuildConfig.BuildType',
  stage: 'BuildConfig.Target',
  imageName: 'Image.Name',
  reference: 'Image.Uri',
  overwrite: 'OverwriteImageTag',
  connection: 'TargetRegistry.InstanceId',
  class: 'Resource.EcsSpec',
  cpu: 'Resource.ResourceConfig.CPU',
  memory: 'Resource.ResourceConfig.Memory',
  pool: 'Resource.ResourceId',
  poolType: 'Resource.ResourceType',
  network: 'UserVpc',
  networkName: 'UserVpc.VpcId',
  networkGroup: 'UserVpc.SecurityGroupId',
  openBlocks: 'UserVpc.ExtendedCidrs',
  clientToken: 'ClientToken',
} as const;

/** The same of a context's fields; `name` is that of a named one. */
export const contextFields = (name?: string) => {
  const field = name === undefined ? 'BuildConfig.Context' : `BuildConfig.NamedContexts.${name}`;
  return {
    id: `${field}.Id`,
    url: `${field}.Url`,
    ref: `${field}.Ref`,
    folder: `${field}.SubPath`,
    dockerfile: `${field}.Dockerfile`,
  };
};
