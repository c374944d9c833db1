import type { CreateImageBuildBody, RerunBody } from '@kiln/contract';
import {
  type BuildRequest,
  type ContextRequest,
  type ContextSource,
  type GitTarget,
  type NamedContext,
  splitGitUrl,
} from '@kiln/domain';
import type { RegistryAuths, RerunChange } from '@kiln/usecases';
import { optional } from '../http/optional.ts';
import { readLabels, renderLabels } from './labels.ts';

/** CreateImageBuild's body as Kiln's own request, and the credentials that came with it. */
export function readBuildRequest(body: CreateImageBuildBody): { request: BuildRequest; auths?: RegistryAuths } {
  const { Resource, UserVpc, BuildConfig, Image, RegionId, ImageBuildJobName } = body;
  const { ResourceConfig } = Resource;
  const { Context, RegistryAuths } = BuildConfig;
  const amounts = ResourceConfig && {
    ...optional('cpu', ResourceConfig.CPU),
    ...optional('memory', ResourceConfig.Memory),
  };
  const network = UserVpc && {
    ...optional('name', UserVpc.VpcId),
    ...optional('subnet', UserVpc.SwitchId),
    ...optional('group', UserVpc.SecurityGroupId),
    ...optional('openBlocks', UserVpc.ExtendedCidrs),
    ...optional('route', UserVpc.DefaultRoute),
  };
  const request: BuildRequest = {
    ...optional('title', ImageBuildJobName),
    dockerfile: BuildConfig.Dockerfile ?? '',
    ...optional('context', Context && readContext(Context, BuildConfig.Dockerfile === undefined)),
    ...optional('namedContexts', BuildConfig.NamedContexts && mapped(BuildConfig.NamedContexts, readNamedContext)),
    ...optional('platform', BuildConfig.Platform),
    ...optional('arguments', BuildConfig.BuildArgs),
    ...optional('imageLabels', BuildConfig.Labels),
    ...optional('stage', BuildConfig.Target),
    ...(BuildConfig.NoCache ? { noCache: true as const } : {}),
    form: BuildConfig.BuildType === 'PackageInstallation' ? 'packages' : 'any',
    image: { name: Image.Name, ...optional('description', Image.Description), labels: readLabels(Image.Labels) },
    target: {
      connection: body.TargetRegistry.InstanceId,
      reference: Image.Uri,
      overwrite: body.OverwriteImageTag,
    },
    visibility: body.Accessibility,
    workspaceId: body.WorkspaceId,
    resources: {
      ...optional('class', Resource.EcsSpec),
      ...optional('amounts', amounts),
      ...optional('pool', Resource.ResourceId),
      ...optional('poolType', Resource.ResourceType),
    },
    ...optional('network', network),
    registryHosts: Object.keys(RegistryAuths ?? {}),
    ...optional('region', RegionId),
  };
  return { request, ...optional('auths', RegistryAuths) };
}

type NamedContextBody = NonNullable<CreateImageBuildBody['BuildConfig']['NamedContexts']>[string];
type ContextBody = Omit<NamedContextBody, 'Type' | 'Uri'> & NonNullable<CreateImageBuildBody['BuildConfig']['Context']>;

const mapped = <In, Out>(record: Record<string, In>, map: (it: In) => Out): Record<string, Out> =>
  Object.fromEntries(Object.entries(record).map(([name, it]) => [name, map(it)]));

/** @param written what stands in the address of a repository */
function readSource(
  { Type, Url = '', Ref, Submodules, Lfs, Digest }: ContextBody,
  written: GitTarget,
): ContextSource | undefined {
  switch (Type) {
    case 'Upload':
      return undefined;
    case 'Git':
      return {
        type: 'git',
        url: written.url,
        ...optional('ref', Ref ?? written.ref),
        ...((Submodules ?? written.submodules) ? { submodules: true as const } : {}),
        ...(Lfs ? { lfs: true as const } : {}),
      };
    case 'Object':
      return { type: 'object', url: Url, ...optional('sha256', Digest?.slice('sha256:'.length)) };
  }
}

function readContext(body: ContextBody, isItsDockerfile: boolean): ContextRequest {
  const { Type, Id, Url = '', SubPath, Dockerfile } = body;
  const written = splitGitUrl(Url);
  return {
    ...optional('id', Id),
    ...optional('source', readSource(body, written)),
    ...optional('subPath', SubPath ?? (Type === 'Git' ? written.subPath : undefined)),
    ...(isItsDockerfile ? { dockerfile: Dockerfile ?? 'Dockerfile' } : optional('dockerfile', Dockerfile)),
  };
}

function readNamedContext({ Type, Uri = '', ...body }: NamedContextBody): NamedContext {
  if (Type === 'Image') return { image: Uri };
  return readContext({ ...body, Type }, false);
}

function renderSource(source: ContextSource) {
  switch (source.type) {
    case 'git':
      return {
        Type: 'Git' as const,
        Url: source.url,
        ...optional('Ref', source.ref),
        ...optional('Commit', source.commit),
        ...optional('Author', source.author),
        ...optional('Subject', source.subject),
        ...optional('Submodules', source.submodules),
        ...optional('Lfs', source.lfs),
      };
    case 'object':
      return {
        Type: 'Object' as const,
        Url: source.url,
        ...optional('Digest', source.sha256 === undefined ? undefined : `sha256:${source.sha256}`),
        ...optional('ETag', source.etag),
      };
  }
}

const renderContext = ({ id, source, subPath, dockerfile }: ContextRequest) => ({
  ...(source ? renderSource(source) : { Type: 'Upload' as const }),
  ...optional('Id', id),
  ...optional('SubPath', subPath),
  ...optional('Dockerfile', dockerfile),
});

const renderNamedContext = (it: NamedContext) =>
  'image' in it ? { Type: 'Image' as const, Uri: it.image } : renderContext(it);

/** What a rerun replaces in the request that it repeats. */
export const readRerun = ({ ImageBuildJobName, OverwriteImageTag, Image }: RerunBody): RerunChange => ({
  ...optional('title', ImageBuildJobName),
  ...optional('overwrite', OverwriteImageTag),
  ...optional('name', Image?.Name),
  ...optional('reference', Image?.Uri),
});

/** `Resource` of a request, as DLC's views show it too. */
export function renderResources({ class: EcsSpec, amounts, pool, poolType }: BuildRequest['resources']) {
  return {
    ...optional('EcsSpec', EcsSpec),
    ...optional(
      'ResourceConfig',
      amounts && { ...optional('CPU', amounts.cpu), ...optional('Memory', amounts.memory) },
    ),
    ...optional('ResourceId', pool),
    ...optional('ResourceType', poolType),
  };
}

const renderNetwork = ({ name, subnet, group, openBlocks, route }: NonNullable<BuildRequest['network']>) => ({
  ...optional('VpcId', name),
  ...optional('SwitchId', subnet),
  ...optional('SecurityGroupId', group),
  ...optional('ExtendedCidrs', openBlocks),
  ...optional('DefaultRoute', route),
});

/** The request as CreateImageBuild took it; of the credentials, only the hosts that they were for remain. */
export const renderBuildRequest = (request: BuildRequest) => ({
  WorkspaceId: request.workspaceId,
  Accessibility: request.visibility,
  Resource: renderResources(request.resources),
  ...optional('UserVpc', request.network && renderNetwork(request.network)),
  TargetRegistry: { InstanceId: request.target.connection, Type: 'AcrEnterprise' },
  OverwriteImageTag: request.target.overwrite,
  BuildConfig: {
    Dockerfile: request.dockerfile,
    ...optional('Context', request.context && renderContext(request.context)),
    ...optional('NamedContexts', request.namedContexts && mapped(request.namedContexts, renderNamedContext)),
    ...optional('Platform', request.platform),
    ...optional('BuildArgs', request.arguments),
    ...optional('Labels', request.imageLabels),
    ...optional('Target', request.stage),
    ...optional('NoCache', request.noCache),
    BuildType: request.form === 'packages' ? 'PackageInstallation' : 'CustomDockerfile',
    RegistryAuthHosts: request.registryHosts,
  },
  ...optional('RegionId', request.region),
  ...optional('ImageBuildJobName', request.title),
  Image: {
    Name: request.image.name,
    Uri: request.target.reference,
    ...optional('Description', request.image.description),
    Labels: renderLabels(request.image.labels),
  },
});
