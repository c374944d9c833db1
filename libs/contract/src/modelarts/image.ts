import { z } from 'zod';
import { imageStatuses, visibilities } from '@kiln/domain';
import { officialLabel } from '../pai/image.ts';
import { oneOf, queryBoolean, queryInt, text } from '../text.ts';

export const architectures = ['X86_64', 'AARCH64'] as const;
export const serviceTypes = ['COMMON', 'INFERENCE', 'TRAIN', 'DEV', 'UNKNOWN'] as const;
const imageTypes = ['BUILD_IN', 'DEDICATED'] as const;

const listOf = <const T extends readonly string[]>(values: T) =>
  z.array(oneOf(values), 'must be an array of strings').max(16, 'must have at most 16 values');

const workspaceIdForm = 'must be 0 or 32 digits and lower-case letters';
/** Some clients write "0" as a figure, or as nothing. */
export const workspaceIdField = z
  .union([z.literal(0), z.string()], workspaceIdForm)
  .refine((it) => /^(?:0|[0-9a-z]{32})?$/.test(String(it)), workspaceIdForm)
  .transform((it) => String(it || '0'))
  .default('0');

/** Who may see an image; HIDDEN is kept as it is written, and behaves like PRIVATE. */
export const modelArtsVisibilities = [...visibilities, 'HIDDEN'] as const;

const readMe = text(65_536);

/** Body of ModelArts' RegisterImage. `swr_path` is parsed by `parseReference`. */
export const registerImageBody = z.object(
  {
    swr_path: text(2048, 16),
    // Upper case in the request's table, lower case in every example: either is taken.
    arch: text(16)
      .transform((it) => it.toUpperCase())
      .pipe(oneOf(architectures))
      .default('X86_64'),
    description: text(512).default(''),
    origin: oneOf(['CUSTOMIZE', 'IMAGE_SAVE']).default('CUSTOMIZE'),
    resource_category: listOf(['CPU', 'GPU', 'ASCEND']).default(['CPU', 'GPU']),
    service_type: oneOf(serviceTypes).default('UNKNOWN'),
    services: listOf(['NOTEBOOK', 'SSH', 'AI_FLOW', 'MA_STUDIO', 'TENSOR_BOARD', 'WEB_IDE']).default([
      'NOTEBOOK',
      'SSH',
    ]),
    visibility: oneOf(modelArtsVisibilities).default('PRIVATE'),
    workspace_id: workspaceIdField,
    flavor_type: oneOf(['ASCEND_SNT9', 'ASCEND_SNT9B', 'ASCEND_SNT3']).optional(),
    swr_instance_id: text(128, 1).optional(),
    /** `key` or `key=value`: the same labels that PAI shows. */
    tags: z
      .array(
        text(256, 1).refine(
          (it) => !['', officialLabel].includes(it.split('=')[0] ?? ''),
          'must be key or key=value, and system.official is reserved',
        ),
        'must be an array of strings',
      )
      .max(64, 'must have at most 64 tags')
      .default([]),
    read_me: readMe.optional(),
  },
  'must be a JSON object',
);
export type RegisterImageBody = z.infer<typeof registerImageBody>;

const page = {
  // More than a thousand are not sent at once, whoever asks for them.
  limit: queryInt(1, 2_147_483_647)
    .transform((it) => Math.min(it, 1000))
    .default(200),
  offset: queryInt(0, 1_000_000_000).default(0),
};

const byName = {
  name: text(512).optional(),
  name_fuzzy_match: queryBoolean.default(true),
  namespace: text(255).optional(),
  type: oneOf(imageTypes).optional(),
  workspace_id: text(32).default('0'),
};

export const listImageQuery = z.object({
  ...page,
  ...byName,
  service_type: oneOf(serviceTypes).optional(),
  show_name: text(512).optional(),
  show_tag: text(128).optional(),
  sort_dir: text(8)
    .transform((it) => it.toUpperCase())
    .pipe(oneOf(['ASC', 'DESC']))
    .default('DESC'),
  sort_key: text(128)
    .describe('comma list of create_at, createTime, update_at, updateTime, name, size, status')
    .transform((it) => it.split(',').map((key) => key.trim()))
    .default(['create_at']),
});
export type ListImageQuery = z.infer<typeof listImageQuery>;

export const listImageGroupQuery = z.object({ ...page, ...byName, swr_instance_id: text(128).optional() });
export type ListImageGroupQuery = z.infer<typeof listImageGroupQuery>;

/**
 * Older documents ask with the query's `force`, today's clients with the body's `is_force`: either name does in either
 * place.
 */
export const forceQuery = z.object({ force: queryBoolean.optional(), is_force: queryBoolean.optional() });
const flag = z.boolean('must be true or false').optional();
export const forceBody = z.object({ is_force: flag, force: flag }, 'must be a JSON object');

const groupTag = z.object({ key: text(128, 1), value: text(256).default('') }, 'must be an object {key, value}');
export const updateImageGroupBody = z.object(
  {
    read_me: readMe.optional(),
    tags: z.array(groupTag, 'must be an array of {key, value}').max(64, 'must have at most 64 tags').optional(),
  },
  'must be a JSON object',
);
export type UpdateImageGroupBody = z.infer<typeof updateImageGroupBody>;

const shownTag = z.object({ key: z.string(), value: z.string() });

/** An image as ModelArts shows it. */
export const shownModelArtsImage = z
  .object({
    arch: z.string(),
    create_at: z.int().describe('milliseconds since 1970, UTC'),
    description: z.string(),
    dev_services: z.array(z.string()),
    flavor_type: z.string().optional(),
    id: z.uuid(),
    name: z.string(),
    namespace: z.string(),
    origin: z.string(),
    resource_categories: z.array(z.string()),
    service_type: z.enum(serviceTypes),
    show_name: z.string(),
    show_tag: z.string(),
    size: z.int().describe('bytes'),
    status: z.enum(imageStatuses),
    status_message: z.string(),
    support_res_categories: z.array(z.string()).optional(),
    swr_instance_id: z.string().optional(),
    swr_path: z.string(),
    tag: z.string(),
    tags: z.array(shownTag),
    type: z.enum(imageTypes),
    update_at: z.int().describe('milliseconds since 1970, UTC'),
    visibility: z.enum(modelArtsVisibilities),
    workspace_id: z.string(),
  })
  .meta({ id: 'ModelArtsImage' });

/** A group: all versions (tags) of one repository in a workspace. */
export const shownImageGroup = z
  .object({
    id: z.uuid(),
    name: z.string(),
    namespace: z.string(),
    create_at: z.int().describe('milliseconds since 1970, UTC'),
    update_at: z.int().describe('milliseconds since 1970, UTC'),
    version_count: z.int(),
    description: z.string(),
    read_me: z.string(),
    tags: z.array(shownTag),
    swr_instance_id: z.string().optional(),
  })
  .meta({ id: 'ModelArtsImageGroup' });

/** A page of a ModelArts list. `current` counts pages from 1; `size` is how many are on this one. */
export const pageOf = <T extends z.ZodType>(item: T) =>
  z.object({ current: z.int(), data: z.array(item), pages: z.int(), size: z.int(), total: z.int() });
