import { createImageBuildBody } from '@kiln/contract';
import { readBuildRequest, renderBuildRequest } from './build-request.ts';

const least = {
  WorkspaceId: '1',
  Resource: {},
  TargetRegistry: { InstanceId: 'cri-1', Type: 'AcrEnterprise' },
  BuildConfig: { Dockerfile: 'FROM scratch', BuildType: 'CustomDockerfile' },
  Image: { Name: 'a', Uri: 'r.example.com/a/b:1' },
};
const most = {
  ...least,
  Accessibility: 'PUBLIC',
  Resource: {
    EcsSpec: 'ecs.c6.large',
    ResourceConfig: { CPU: '4', Memory: '8Gi' },
    ResourceId: 'quota-1',
    ResourceType: 'Lingjun',
  },
  UserVpc: {
    VpcId: 'vpc-1',
    SwitchId: 'vs-1',
    SecurityGroupId: 'sg-1',
    ExtendedCidrs: ['10.0.0.0/8'],
    DefaultRoute: 'eth1',
  },
  OverwriteImageTag: true,
  BuildConfig: {
    Dockerfile: 'FROM scratch',
    BuildType: 'PackageInstallation',
    RegistryAuths: { 'r.example.com': { Auth: Buffer.from('u:p').toString('base64') } },
  },
  RegionId: 'cn-hangzhou',
  ImageBuildJobName: 'nightly',
  Image: { ...least.Image, Description: 'd', Labels: [{ Key: 'team', Value: 'vision' }] },
};
const halves = { ...least, Resource: { ResourceConfig: {} }, UserVpc: {} };

it.each([
  ['the least', least],
  ['everything', most],
  ['empty parts', halves],
])('a request with %s is shown as it came, without its credentials', (_, given) => {
  const body = createImageBuildBody.parse(given);
  const { request, auths } = readBuildRequest(body);
  const { RegistryAuths, ...config } = body.BuildConfig;
  expect(auths).toEqual(RegistryAuths);
  expect(renderBuildRequest(request)).toEqual({
    ...body,
    BuildConfig: { ...config, RegistryAuthHosts: Object.keys(RegistryAuths ?? {}) },
  });
});
