import { z } from 'zod';
import { visibilities } from '../build-states.ts';
import { oneOf, queryBoolean, queryInt, text } from '../text.ts';

export const architectures = ['X86_64', 'AARCH64'] as const;

const listOf = <const T extends readonly string[]>(values: T) =>
  z.array(oneOf(values), 'must be an array of strings').max(16, 'must have at most 16 values');

/** Body of ModelArts' RegisterImage. `swr_path` is parsed by `parseReference`. */
export const registerImageBody = z.object(
  {
    swr_path: text(2048, 16),
    // Upper case in the request's table, lower case in every example: either is taken.
    arch: z
      .string('must be a string')
      .transform((it) => it.toUpperCase())
      .pipe(oneOf(architectures))
      .default('X86_64'),
    description: text(512).default(''),
    origin: oneOf(['CUSTOMIZE', 'IMAGE_SAVE']).default('CUSTOMIZE'),
    resource_category: listOf(['CPU', 'GPU', 'ASCEND']).default(['CPU', 'GPU']),
    service_type: oneOf(['COMMON', 'INFERENCE', 'TRAIN', 'DEV', 'UNKNOWN']).default('UNKNOWN'),
    services: listOf(['NOTEBOOK', 'SSH', 'AI_FLOW', 'MA_STUDIO', 'TENSOR_BOARD', 'WEB_IDE']).default([
      'NOTEBOOK',
      'SSH',
    ]),
    visibility: oneOf(visibilities).default('PRIVATE'),
    workspace_id: text(32)
      .regex(/^(0|[0-9a-z]{32})$/, 'must be 0 or 32 digits and lower-case letters')
      .default('0'),
    flavor_type: oneOf(['ASCEND_SNT9', 'ASCEND_SNT9B', 'ASCEND_SNT3']).optional(),
  },
  'must be a JSON object',
);
export type RegisterImageBody = z.infer<typeof registerImageBody>;

export const listImageQuery = z.object({
  limit: queryInt(1, 1000).default(200),
  offset: queryInt(0, 1_000_000_000).default(0),
  name: text(512).optional(),
  name_fuzzy_match: queryBoolean.default(true),
  namespace: text(255).optional(),
  service_type: oneOf(['COMMON', 'INFERENCE', 'TRAIN', 'DEV', 'UNKNOWN']).optional(),
  sort_dir: z
    .string()
    .transform((it) => it.toUpperCase())
    .pipe(oneOf(['ASC', 'DESC']))
    .default('DESC'),
  sort_key: text(128).default('create_at'),
  type: oneOf(['BUILD_IN', 'DEDICATED']).optional(),
  workspace_id: text(32).default('0'),
});
export type ListImageQuery = z.infer<typeof listImageQuery>;

export const deleteImageBody = z.object({ is_force: z.boolean().optional() });
export const deleteImageQuery = z.object({ force: queryBoolean.optional() });
