import { z } from 'zod';
import {
  contextName,
  isGitRef,
  isImageName,
  parseGitAddress,
  parseObjectAddress,
  splitGitUrl,
  visibilities,
} from '@kiln/domain';
import { idText, oneOf, required, text } from '../text.ts';
import { imageName, imageUri, labels } from './image.ts';

/** The largest Dockerfile that is accepted, in bytes of UTF-8. */
export const dockerfileBytesMax = 262_144;

/** A Dockerfile, as a request brings it. */
export const dockerfileText = text(dockerfileBytesMax, 1).refine(
  (it) => Buffer.byteLength(it) <= dockerfileBytesMax,
  `must have at most ${dockerfileBytesMax} bytes`,
);

// base64 of `user:password`, as docker's config.json has it.
const registryAuth = z.object(
  {
    Auth: text(8192, 1).refine(
      (it) => /^[A-Za-z0-9+/]+={0,2}$/.test(it) && /^[^:\p{Cc}]+:\P{Cc}*$/u.test(Buffer.from(it, 'base64').toString()),
      'must be the base64 form of user:password',
    ),
  },
  required('must be an object {Auth}'),
);

const registryHost = z
  .string()
  .regex(/^[A-Za-z0-9.:[\]-]{1,253}$/, 'must be a registry host, such as registry.example.com');

const isObject = (it: unknown): it is Record<string, unknown> => typeof it === 'object' && it !== null;

/** A path in a context: no slash at its ends, no `.` and no `..`. */
const contextPath = text(4096, 1).refine(
  (it) => it.split('/').every((part) => part !== '' && part !== '.' && part !== '..'),
  'must be a path within the context, such as services/api',
);

/** Fields that each type of context has, beside Dockerfile. */
const contextFields = {
  Upload: { needs: 'Id', takes: ['SubPath'] },
  Git: { needs: 'Url', takes: ['Ref', 'Submodules', 'Lfs', 'SubPath'] },
  Object: { needs: 'Url', takes: ['Digest', 'SubPath'] },
  Image: { needs: 'Uri', takes: [] },
} as const;
const ownFields = ['Id', 'Url', 'Ref', 'Submodules', 'Lfs', 'Digest', 'SubPath', 'Uri'] as const;

const urlProblem = {
  Git: (url: string) =>
    parseGitAddress(splitGitUrl(url).url)
      ? undefined
      : 'must be a repository’s address by https or ssh without credentials, such as https://git.example.com/team/app.git',
  Object: (url: string) =>
    parseObjectAddress(url)
      ? undefined
      : 'must be the address of an archive by https, s3, oss or obs without credentials, such as s3://bucket/app.tar.gz',
};

/** Of each type of context but Image. */
const sourceFields = {
  Id: text(71, 1)
    .regex(/^sha256:[0-9a-f]{64}$/, 'must be the Id of a context: sha256: and 64 hexadecimal digits')
    .optional()
    .describe('of a context that was uploaded'),
  Url: text(2048, 1)
    .optional()
    .describe('of a git repository (https, ssh), or of a tar, plain or packed (https, s3, oss, obs)'),
  Ref: text(255, 1)
    .refine(isGitRef, 'must be a branch, a tag or a commit')
    .optional()
    .describe('branch, tag or commit; the default branch of the repository when left out'),
  Submodules: z.boolean('must be true or false').optional().describe('whether to fetch them too'),
  Lfs: z.boolean('must be true or false').optional().describe('whether to fetch the files of git LFS'),
  Digest: text(71, 1)
    .regex(/^sha256:[0-9a-f]{64}$/, 'must be sha256: and 64 hexadecimal digits')
    .optional()
    .describe('of the archive; without it, what the server has when the build is accepted is what is built'),
  SubPath: contextPath.optional().describe('folder in it that the build sees'),
};

type ContextType = keyof typeof contextFields;
type Given = { Type: ContextType; Url?: string | undefined } & { [field in (typeof ownFields)[number]]?: unknown };

/** Refuses a context that lacks what its type needs, or has what goes with another one. */
function checkContext(it: Given, found: z.RefinementCtx): void {
  const { needs, takes } = contextFields[it.Type];
  const issue = (path: string, message: string) => found.addIssue({ code: 'custom', path: [path], message });
  if (it[needs] === undefined) issue(needs, `is required with Type ${it.Type}`);
  for (const field of ownFields)
    if (it[field] !== undefined && field !== needs && !(takes as readonly string[]).includes(field))
      issue(field, `does not go with Type ${it.Type}`);
  const check = urlProblem[it.Type as keyof typeof urlProblem] as ((url: string) => string | undefined) | undefined;
  const wrong = it.Url === undefined ? undefined : check?.(it.Url);
  if (wrong !== undefined) issue('Url', wrong);
}

/** Files for COPY and ADD. PAI has no such field: clients that do not know it send none. */
const buildContext = z
  .object(
    {
      Type: oneOf(['Upload', 'Git', 'Object']),
      ...sourceFields,
      Dockerfile: contextPath
        .optional()
        .describe('in that folder, for a BuildConfig without one; Dockerfile when left out'),
    },
    'must be an object {Type, Id}',
  )
  .superRefine(checkContext);

const namedContexts = z
  .record(
    text(255, 1)
      .regex(
        /^[a-z0-9]+(?:(?:[._-]+|:\d+\/|\/)[a-z0-9]+)*(?::\w[\w.-]{0,127})?(?:@sha256:[0-9a-f]{64})?$/,
        'must be the name of a stage or an image, in lower case and without docker.io/library/ and :latest',
      )
      .refine((it) => contextName(it) === it, 'must be without docker.io/library/ and :latest'),
    z
      .object(
        {
          Type: oneOf(['Upload', 'Git', 'Object', 'Image']),
          ...sourceFields,
          Uri: text(2048, 1)
            .refine(isImageName, 'must be the name of an image, such as registry.example.com/ml/base:v1')
            .optional()
            .describe('of the image that stands for the name'),
        },
        'must be an object {Type, Id}',
      )
      .superRefine(checkContext),
    'must be an object {name: {Type, Id}}',
  )
  .refine((it) => Object.keys(it).length <= 20, 'must have at most 20 names');

const imageLabels = z
  .record(
    text(256, 1).regex(/^[^\s=\p{Cc}]+$/u, 'must be the name of a label, without blanks and ='),
    text(8192),
    'must be an object {name: value}',
  )
  .refine((it) => Object.keys(it).length <= 200, 'must have at most 200 labels');

const buildArguments = z
  .record(
    text(256, 1)
      .regex(/^[A-Za-z_]\w*$/, 'must be the name of an ARG')
      .refine((it) => it !== 'BUILDKIT_MULTI_PLATFORM', 'is not taken: a build makes one image'),
    text(8192),
    'must be an object {name: value}',
  )
  .refine((it) => Object.keys(it).length <= 200, 'must have at most 200 arguments');

/**
 * Body of PAI's CreateImageBuild, version 2021-02-04. Fields that it does not name are ignored, as the cloud ignores
 * them.
 */
export const createImageBuildBody = z.object(
  {
    WorkspaceId: idText(64),
    Accessibility: oneOf(visibilities).default('PRIVATE'),
    Resource: z.object(
      {
        EcsSpec: text(128).optional(),
        ResourceConfig: z
          .object(
            {
              CPU: text(16)
                .regex(/^\d{1,4}(\.\d{1,3})?$|^\d{1,7}m$/, 'must be a number of cores, such as 4 or 500m')
                .optional(),
              Memory: text(16)
                .regex(/^\d{1,7}(\.\d{1,3})?(Ki|Mi|Gi|Ti)?$/, 'must be an amount of memory, such as 8Gi')
                .optional(),
            },
            'must be an object {CPU, Memory}',
          )
          .optional(),
        ResourceId: text(128).optional(),
        ResourceType: oneOf(['Lingjun']).optional(),
      },
      required('must be an object'),
    ),
    UserVpc: z
      .object(
        {
          VpcId: text(128).optional(),
          SwitchId: text(128).optional(),
          SecurityGroupId: text(128).optional(),
          ExtendedCidrs: z
            .array(z.union([z.cidrv4('must be a CIDR block'), z.cidrv6('must be a CIDR block')]))
            .max(32, 'must have at most 32 blocks')
            .optional(),
          DefaultRoute: oneOf(['eth0', 'eth1']).optional(),
        },
        'must be an object',
      )
      .superRefine((vpc, context) => {
        if (vpc.VpcId && !vpc.SecurityGroupId)
          context.addIssue({ code: 'custom', path: ['SecurityGroupId'], message: 'is required once VpcId is set' });
        if (vpc.SwitchId && !vpc.ExtendedCidrs?.length)
          context.addIssue({ code: 'custom', path: ['ExtendedCidrs'], message: 'is required once SwitchId is set' });
      })
      .optional(),
    TargetRegistry: z.object(
      { InstanceId: text(128, 1), Type: oneOf(['AcrEnterprise']) },
      required('must be an object {Type, InstanceId}'),
    ),
    OverwriteImageTag: z.boolean('must be true or false').default(false),
    BuildConfig: z
      .object(
        {
          Dockerfile: dockerfileText.optional(),
          Context: buildContext.optional(),
          NamedContexts: namedContexts
            .optional()
            .describe('files or images for FROM, COPY --from and RUN --mount, as docker build --build-context has it'),
          Platform: text(64, 1)
            .regex(
              /^linux\/(?:amd64|arm64(?:\/v8)?|386|ppc64le|riscv64|s390x)$/,
              'must be a platform of Linux: amd64, arm64, 386, ppc64le, riscv64 or s390x, such as linux/arm64',
            )
            .transform((it) => it.replace(/\/v8$/, ''))
            .optional()
            .describe('that the image is for; the builder’s own when left out. Steps run only where the builder can'),
          BuildArgs: buildArguments.optional(),
          Labels: imageLabels.optional().describe('of the image itself, over those of its Dockerfile'),
          Target: text(256, 1).optional().describe('stage to build; the last one when left out'),
          NoCache: z.boolean('must be true or false').optional(),
          BuildType: oneOf(['PackageInstallation', 'CustomDockerfile']),
          RegistryAuths: z
            .record(registryHost, registryAuth, 'must be an object {host: {Auth}}')
            .refine((it) => Object.keys(it).length <= 32, 'must name at most 32 registries')
            .optional(),
        },
        required('must be an object'),
      )
      // Also where other fields are wrong: an error names all that are.
      .refine((it) => !isObject(it) || it['Dockerfile'] !== undefined || it['Context'] !== undefined, {
        path: ['Dockerfile'],
        message: 'is required',
        when: () => true,
      })
      .refine((it) => it.Context === undefined || it.BuildType !== 'PackageInstallation', {
        path: ['Context'],
        message: 'needs BuildType CustomDockerfile: a PackageInstallation copies nothing',
      })
      .refine((it) => it.NamedContexts === undefined || it.BuildType !== 'PackageInstallation', {
        path: ['NamedContexts'],
        message: 'need BuildType CustomDockerfile: a PackageInstallation copies nothing',
      }),
    RegionId: text(64).optional(),
    ImageBuildJobName: text(256).optional(),
    Image: z.object(
      { Name: imageName, Uri: imageUri, Description: text(1024).optional(), Labels: labels.default([]) },
      required('must be an object'),
    ),
  },
  'must be a JSON object',
);
export type CreateImageBuildBody = z.infer<typeof createImageBuildBody>;

/** Idempotence token: 1 to 64 printable ASCII characters, compared with case. */
export const clientToken = text(64, 1).regex(/^[\x21-\x7e]+$/, 'must be 1 to 64 printable ASCII characters');
