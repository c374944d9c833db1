/**
 * What the vendors' documents and SDKs say of each operation: the fields that a client may send, and those that it may
 * read. Written down from them, not from Kiln's schemas, so that the two can be held against each other.
 */
export interface VendorOperation {
  cloud: 'Alibaba PAI' | 'Huawei ModelArts';
  /** Dotted, with the part of the request in front: `query.Name`, `body.Image.Uri`. */
  request: string[];
  /** Dotted; `[]` stands for the items of an array. */
  reply: string[];
}

const each = (prefix: string, names: string): string[] => names.split(' ').map((it) => `${prefix}${it}`);

const paiImage =
  'Accessibility Description GmtCreateTime GmtModifiedTime ImageUri Name ParentUserId Size SourceId SourceType UserId WorkspaceId Labels[].Key Labels[].Value';
const job =
  'JobId DisplayName JobType Status SubStatus ReasonCode ReasonMessage Duration GmtCreateTime GmtSubmittedTime GmtRunningTime GmtFinishTime GmtSuccessedTime GmtFailedTime GmtStoppedTime WorkspaceId WorkspaceName UserId ResourceId Accessibility Priority JobSpecs[].Type JobSpecs[].Image JobSpecs[].PodCount JobSpecs[].EcsSpec JobSpecs[].ResourceConfig.CPU JobSpecs[].ResourceConfig.Memory';
const jobDetail =
  'StatusHistory[].Status StatusHistory[].StartTime StatusHistory[].EndTime StatusHistory[].ReasonCode StatusHistory[].ReasonMessage Pods[].PodId Pods[].PodUid Pods[].Type Pods[].Status Pods[].SubStatus Pods[].Ip Pods[].GmtCreateTime Pods[].GmtStartTime Pods[].GmtFinishTime Pods[].Duration Pods[].HistoryPods[]';
const modelArtsImage =
  'arch create_at description dev_services[] flavor_type id name namespace origin resource_categories[] service_type size status status_message swr_path tag type update_at visibility workspace_id swr_instance_id show_name show_tag tags[].key tags[].value';
const oneImage = each('', `${modelArtsImage} support_res_categories[]`);

const pai = (request: string[], reply: string): VendorOperation => ({
  cloud: 'Alibaba PAI',
  request,
  reply: each('', reply),
});
const modelArts = (request: string[], reply: string[]): VendorOperation => ({
  cloud: 'Huawei ModelArts',
  request,
  reply,
});

export const vendorContract: Record<string, VendorOperation> = {
  CreateImageBuild: pai(
    [
      'query.ClientToken',
      ...each(
        'body.',
        'WorkspaceId Accessibility Resource.EcsSpec Resource.ResourceConfig.CPU Resource.ResourceConfig.Memory Resource.ResourceId Resource.ResourceType UserVpc.VpcId UserVpc.SwitchId UserVpc.SecurityGroupId UserVpc.ExtendedCidrs UserVpc.DefaultRoute TargetRegistry.Type TargetRegistry.InstanceId OverwriteImageTag BuildConfig.Dockerfile BuildConfig.BuildType BuildConfig.RegistryAuths RegionId ImageBuildJobName Image.Name Image.Uri Image.Description Image.Labels',
      ),
    ],
    'ImageBuildId ImageBuildJobId',
  ),
  AddImage: pai(
    each('body.', 'Name ImageUri Description Labels WorkspaceId Accessibility Size ImageId SourceType SourceId'),
    'RequestId ImageId',
  ),
  GetImage: pai(['path.ImageId', 'query.Verbose'], `RequestId ${paiImage}`),
  ListImages: pai(
    each(
      'query.',
      'Name Query ImageUri Labels WorkspaceId Accessibility Verbose SortBy Order PageNumber PageSize UserId ParentUserId',
    ),
    `RequestId TotalCount ${each('Images[].', `ImageId ${paiImage}`).join(' ')}`,
  ),
  RemoveImage: pai(['path.ImageId'], 'RequestId'),
  PublishImage: pai(['path.ImageId'], 'RequestId ImageId'),
  AddImageLabels: pai(['path.ImageId', 'body.Labels'], 'RequestId'),
  RemoveImageLabels: pai(['path.ImageId', 'path.LabelKey'], 'RequestId'),
  ListImageLabels: pai(
    each('query.', 'LabelKeys LabelFilter ImageId WorkspaceId Region'),
    'RequestId TotalCount Labels[].Key Labels[].Value',
  ),
  ListJobs: pai(
    each(
      'query.',
      'WorkspaceId DisplayName JobId JobIds JobType Status ResourceId SortBy Order PageNumber PageSize StartTime EndTime ShowOwn Accessibility FromAllWorkspaces PipelineId Tags',
    ),
    `RequestId TotalCount ${each('Jobs[].', job).join(' ')}`,
  ),
  GetJob: pai(['path.JobId', 'query.NeedDetail'], `RequestId ${job} ${jobDetail}`),
  GetJobEvents: pai(['path.JobId', ...each('query.', 'StartTime EndTime MaxEventsNum')], 'RequestId JobId Events[]'),
  GetPodLogs: pai(
    ['path.JobId', 'path.PodId', ...each('query.', 'PodUid StartTime EndTime MaxLines DownloadToFile')],
    'RequestId JobId PodId PodUid Logs[]',
  ),
  GetPodEvents: pai(
    ['path.JobId', 'path.PodId', ...each('query.', 'PodUid StartTime EndTime MaxEventsNum')],
    'RequestId JobId PodId PodUid Events[]',
  ),
  StopJob: pai(['path.JobId'], 'RequestId JobId'),
  DeleteJob: pai(['path.JobId'], 'RequestId JobId'),
  RegisterImage: modelArts(
    [
      'path.project_id',
      ...each(
        'body.',
        'swr_path arch description origin resource_category service_type services visibility workspace_id flavor_type tags swr_instance_id read_me',
      ),
    ],
    oneImage,
  ),
  ListImage: modelArts(
    each(
      'query.',
      'limit offset name name_fuzzy_match namespace service_type sort_dir sort_key type workspace_id show_name show_tag',
    ),
    ['current', 'pages', 'size', 'total', ...each('data[].', modelArtsImage)],
  ),
  ShowImage: modelArts(['path.id'], oneImage),
  DeleteImage: modelArts(['path.id', 'query.force', 'body.is_force'], oneImage),
  SyncImage: modelArts(['path.image_id'], oneImage),
  ListImageGroup: modelArts(
    each('query.', 'name name_fuzzy_match namespace type workspace_id limit offset swr_instance_id'),
    [
      'current',
      'pages',
      'size',
      'total',
      'is_swr_enterprise',
      ...each(
        'data[].',
        'name namespace create_at update_at version_count description read_me icon_name id swr_instance_name swr_instance_id',
      ),
    ],
  ),
  UpdateImageGroup: modelArts(['path.id', 'body.read_me', 'body.tags'], []),
  DeleteImageGroup: modelArts(['path.id', 'body.is_force'], []),
  CreateImage: modelArts(['body.name', 'body.namespace'], []),
  ListProjects: modelArts(
    ['query.name', 'query.domain_id'],
    ['links.self', ...each('projects[].', 'id name domain_id parent_id is_domain enabled description links.self')],
  ),
};

/** Where Kiln is another thing than the clouds: how it differs, or why something has no place here. */
export interface Exception {
  kind: 'differs' | 'not applicable';
  how: string;
}

const differs = (how: string): Exception => ({ kind: 'differs', how });
const notApplicable = (how: string): Exception => ({ kind: 'not applicable', how });

export const exceptions: Record<string, Record<string, Exception>> = {
  CreateImageBuild: {
    'body.Resource.EcsSpec': differs(
      'names a resource class of the operator’s, or one of the usual ecs.* names; any other of that form means the default class, with a note on the build, unless the operator is strict',
    ),
    'body.Resource.ResourceId': differs(
      'names a pool of builders of the operator’s; all builders are one where none is listed',
    ),
    'body.Resource.ResourceType': differs('has to be that of the pool which ResourceId names'),
    'body.UserVpc.VpcId': differs(
      'names a network of the operator’s; where none is described, the public one is given, with a note on the build',
    ),
    'body.UserVpc.SwitchId': differs('kept; wants ExtendedCidrs beside it, as in the cloud'),
    'body.UserVpc.SecurityGroupId': differs('names a group of that network'),
    'body.UserVpc.ExtendedCidrs': differs('opens what the network lets requests open'),
    'body.UserVpc.DefaultRoute': differs('takes the way out that the network gives it'),
    'body.TargetRegistry.InstanceId': differs('names a registry connection of the account'),
    'body.RegionId': notApplicable('Kiln has no regions; ignored'),
  },
  GetJobEvents: { 'query.StartTime': differs('without it, from the beginning') },
  GetPodEvents: { 'query.StartTime': differs('without it, from the beginning') },
  SyncImage: { 'path.image_id': differs('for its creator and the account’s admins only') },
  AddImage: { 'body.Size': differs('GB, as the vendor has it; what the registry holds is measured, and wins') },
  ListImages: {
    'query.WorkspaceId': differs(
      'without it: the public images of all workspaces that the caller sees; there are no official ones',
    ),
    'query.UserId': notApplicable('dropped from the SDK in 2025; ignored'),
    'query.ParentUserId': notApplicable('dropped from the SDK in 2025; ignored'),
  },
  ListImageLabels: { 'query.Region': notApplicable('Kiln has no regions; ignored') },
  ListJobs: {
    'query.StartTime': differs('JobId and JobIds find a job however old it is'),
    'query.JobType': differs('every job is an ImageBuild; other types find nothing'),
    'query.FromAllWorkspaces': notApplicable('without WorkspaceId, all that the caller sees; ignored'),
    'query.PipelineId': notApplicable('builds belong to no pipeline; ignored'),
    'query.Tags': notApplicable('jobs carry no tags; ignored'),
  },
  GetJob: {
    'reply.Status': differs(
      'a build is Queuing from the moment it was accepted; Creating is seen in StatusHistory only',
    ),
    'reply.ReasonCode': differs('a failure has Kiln’s own code, such as StepFailed'),
    'reply.Pods[].Ip': notApplicable('a build has no address of its own'),
    'reply.Pods[].HistoryPods[]': differs('always empty: attempts are shown by GetImageBuild'),
  },
  GetPodLogs: {
    'query.StartTime': differs('without it, from the beginning'),
    'query.DownloadToFile': differs('the answer is the same JSON'),
  },
  RegisterImage: {
    'body.visibility': differs('HIDDEN is kept and shown, and behaves like PRIVATE'),
    'path.project_id': differs('checked against the key’s account'),
    'reply.size': differs('bytes, as in the vendor’s example; its table says KB'),
  },
  ListImage: {
    'query.limit': differs('at most 1000 are sent at once'),
    'query.type': differs('every image is DEDICATED; BUILD_IN finds nothing'),
    'reply.size': differs('how many entries this page has'),
  },
  ListImageGroup: {
    'query.type': differs('every image is DEDICATED; BUILD_IN finds nothing'),
    'reply.data[].icon_name': notApplicable('groups have no icons'),
    'reply.data[].swr_instance_name': notApplicable('registry connections have ids only'),
  },
  ListProjects: {
    'query.name': differs('the name of a region stands for the only project of an account that has one'),
  },
  CreateImage: {
    'body.name': notApplicable('saves a running notebook; Kiln runs none'),
    'body.namespace': notApplicable('saves a running notebook; Kiln runs none'),
  },
};
