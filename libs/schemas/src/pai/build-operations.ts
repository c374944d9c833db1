import { z } from 'zod';
import { operation } from '../operation.ts';
import { lanes } from '../build-states.ts';
import { oneOf } from '../text.ts';
import {
  buildLogsQuery,
  listBuildsQuery,
  repeatBuildQuery,
  rerunBody,
  shownBuild,
  shownBuildSummary,
} from './build.ts';
import { clientToken, createImageBuildBody } from './image-build.ts';

const requestId = { RequestId: z.string() };
/** What is answered wherever a build is accepted. */
const acceptedBuild = z.object({ ...requestId, ImageBuildId: z.string(), ImageBuildJobId: z.string() });
const exampleId = '7B9EFB2C-0E2A-4F4F-8A3E-1B1C6E0F5A11';
const build = 'build-a1b2c3d4e5f6g7h8';
const job = 'dlc-a1b2c3d4e5f6g7h8';

const example = {
  ImageBuildId: build,
  ImageBuildJobId: job,
  DisplayName: 'torch-serving',
  WorkspaceId: '123456',
  UserId: '10000000000001',
  ImageName: 'torch-serving',
  ImageUri: 'registry.example.com/ml/torch-serving:v1',
  State: 'succeeded',
  Phase: 'tag',
  Attempt: 1,
  Lane: 'normal',
  GmtCreateTime: '2026-01-21T17:12:35.232Z',
};

const exampleRepeat = {
  RequestId: exampleId,
  ImageBuildId: 'build-n2n4p6q8r0s2t4u6',
  ImageBuildJobId: 'dlc-n2n4p6q8r0s2t4u6',
};

/** CreateImageBuild, and Kiln's own calls about builds. */
export const buildOperations = {
  CreateImageBuild: operation({
    name: 'CreateImageBuild',
    makes: 'ImageBuildId',
    api: 'AIWorkSpace',
    method: 'POST',
    path: '/api/v1/imagebuilds',
    summary: 'Builds an image from a Dockerfile, publishes it and adds it to the catalogue',
    query: z.object({ ClientToken: clientToken.optional(), Lane: oneOf(lanes).default('normal') }),
    body: createImageBuildBody,
    guarded: [
      'ClientToken',
      'Accessibility',
      'UserVpc',
      'VpcId',
      'SwitchId',
      'SecurityGroupId',
      'ExtendedCidrs',
      'DefaultRoute',
      'OverwriteImageTag',
      'RegistryAuths',
      'Auth',
    ],
    reply: acceptedBuild,
    statuses: [200],
    errors: [
      'BuildSecretNotFound',
      'WorkspaceNotFound',
      'RegistryConnectionNotFound',
      'ImageNameDuplicated',
      'IdempotentParameterMismatch',
      'DockerfileInvalid',
      'DockerfileNotAllowed',
      'TooManyWaiting',
      'TooManyBuilds',
      'TooManyImages',
    ],
    example: {
      query: { ClientToken: 'a-token-of-yours' },
      body: {
        WorkspaceId: '123456',
        Accessibility: 'PRIVATE',
        Resource: { EcsSpec: 'ecs.c6.large' },
        TargetRegistry: { Type: 'AcrEnterprise', InstanceId: 'cri-local' },
        OverwriteImageTag: false,
        BuildConfig: {
          BuildType: 'CustomDockerfile',
          Dockerfile: 'FROM registry.example.com/ml/base:v1\nRUN pip install torch\n',
        },
        Image: {
          Name: 'torch-serving',
          Uri: 'registry.example.com/ml/torch-serving:v1',
          Labels: [{ Key: 'system.chipType', Value: 'CPU' }],
        },
      },
      reply: { RequestId: exampleId, ImageBuildId: build, ImageBuildJobId: job },
    },
  }),
  ListImageBuilds: operation({
    name: 'ListImageBuilds',
    api: 'Kiln',
    method: 'GET',
    path: '/api/v1/imagebuilds',
    summary: 'Lists builds, newest first; NextCursor is there when more follow',
    query: listBuildsQuery,
    reply: z.object({ ...requestId, ImageBuilds: z.array(shownBuildSummary), NextCursor: z.string().optional() }),
    statuses: [200],
    errors: ['WorkspaceNotFound'],
    example: { query: { State: 'succeeded', Limit: '1' }, reply: { RequestId: exampleId, ImageBuilds: [example] } },
  }),
  GetImageBuild: operation({
    name: 'GetImageBuild',
    api: 'Kiln',
    method: 'GET',
    path: '/api/v1/imagebuilds/{ImageBuildId}',
    summary: 'Shows a build with its attempts, phases, events and error',
    query: z.object({}),
    reply: shownBuild.extend(requestId).meta({ id: 'GetImageBuildReply' }),
    statuses: [200],
    errors: ['BuildNotFound'],
    example: {
      params: { ImageBuildId: build },
      reply: { RequestId: exampleId, ...example, RepeatedBy: [], Attempts: [], Phases: [], Events: [], Request: {} },
    },
  }),
  GetImageBuildLogs: operation({
    name: 'GetImageBuildLogs',
    api: 'Kiln',
    method: 'GET',
    path: '/api/v1/imagebuilds/{ImageBuildId}/logs',
    summary:
      'Sends the log of an attempt as text, as NDJSON with a cursor in every record, or live as server-sent events',
    query: buildLogsQuery,
    reply: z.object({ Cursor: z.int(), Time: z.iso.datetime(), Text: z.string() }),
    statuses: [200],
    stream: ['text/plain', 'application/x-ndjson', 'text/event-stream'],
    errors: ['BuildNotFound', 'Throttling'],
    example: {
      params: { ImageBuildId: build },
      query: { Format: 'ndjson' },
      reply: { Cursor: 1, Time: '2026-01-21T17:12:36.001Z', Text: 'STEP 1/2: FROM registry.example.com/ml/base:v1' },
    },
  }),
  CancelImageBuild: operation({
    name: 'CancelImageBuild',
    api: 'Kiln',
    method: 'POST',
    path: '/api/v1/imagebuilds/{ImageBuildId}/cancel',
    summary: 'Asks for a build to end; asking again changes nothing',
    query: z.object({}),
    reply: z.object({ ...requestId, ImageBuildId: z.string(), State: z.string() }),
    statuses: [200],
    errors: ['BuildNotFound', 'BuildAlreadyFinished', 'Forbidden'],
    example: {
      params: { ImageBuildId: build },
      reply: { RequestId: exampleId, ImageBuildId: build, State: 'cancelling' },
    },
  }),
  RetryImageBuild: operation({
    name: 'RetryImageBuild',
    makes: 'ImageBuildId',
    api: 'Kiln',
    method: 'POST',
    path: '/api/v1/imagebuilds/{ImageBuildId}/retry',
    summary: 'Does a build again with the same inputs, when it ended by no fault of its own or by a clock',
    query: repeatBuildQuery,
    reply: acceptedBuild,
    statuses: [200],
    errors: [
      'BuildNotFound',
      'BuildNotFinished',
      'BuildNotRetryable',
      'ImageNameDuplicated',
      'IdempotentParameterMismatch',
      'TooManyWaiting',
      'TooManyBuilds',
      'TooManyImages',
      'Forbidden',
    ],
    example: {
      params: { ImageBuildId: build },
      reply: exampleRepeat,
    },
  }),
  RerunImageBuild: operation({
    name: 'RerunImageBuild',
    makes: 'ImageBuildId',
    api: 'Kiln',
    method: 'POST',
    path: '/api/v1/imagebuilds/{ImageBuildId}/rerun',
    summary: 'Builds anew from the request of a build that has ended, however it did',
    query: repeatBuildQuery,
    body: rerunBody,
    guarded: ['OverwriteImageTag'],
    reply: acceptedBuild,
    statuses: [200],
    errors: [
      'BuildSecretNotFound',
      'BuildNotFound',
      'BuildNotFinished',
      'WorkspaceNotFound',
      'RegistryConnectionNotFound',
      'ImageNameDuplicated',
      'IdempotentParameterMismatch',
      'TooManyWaiting',
      'TooManyBuilds',
      'TooManyImages',
      'Forbidden',
    ],
    example: {
      params: { ImageBuildId: build },
      query: { Lane: 'bulk' },
      body: { Image: { Name: 'torch-serving-2', Uri: 'registry.example.com/ml/torch-serving:v2' } },
      reply: exampleRepeat,
    },
  }),
};
