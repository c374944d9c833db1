import { type CreateImageBuildBody, type RerunBody } from '@kiln/contract';
import { type BuildRequest } from '@kiln/domain';
import { type RegistryAuths, type RerunChange } from '@kiln/usecases';
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
    ...optional('arguments', BuildConfig.BuildArgs),
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

const readContext = (
  { Id, SubPath, Dockerfile }: NonNullable<CreateImageBuildBody['BuildConfig']['Context']>,
  isItsDockerfile: boolean,
): NonNullable<BuildRequest['context']> => ({
  id: Id,
  ...optional('subPath', SubPath),
  ...(isItsDockerfile ? { dockerfile: Dockerfile ?? 'Dockerfile' } : optional('dockerfile', Dockerfile)),
});

const renderContext = ({ id, subPath, dockerfile }: NonNullable<BuildRequest['context']>) => ({
  Type: 'Upload' as const,
  Id: id,
  ...optional('SubPath', subPath),
  ...optional('Dockerfile', dockerfile),
});

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
    ...optional('BuildArgs', request.arguments),
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
