import { z } from 'zod';
import { Fault, imageStatuses, labelsMax, parseReference, visibilities } from '@kiln/domain';
import { idText, oneOf, queryBoolean, queryInt, required, text } from '../text.ts';

/** The vendor's own mark of its images. */
export const officialLabel = 'system.official';

export const label = z.object(
  {
    Key: text(128, 1).refine((it) => it !== officialLabel, 'is reserved for built-in images'),
    Value: text(256).default(''),
  },
  required('must be an object {Key, Value}'),
);
export type Label = z.infer<typeof label>;

/** Labels of one request: each key once. */
export const labels = z
  .array(label, required('must be an array of {Key, Value}'))
  .max(labelsMax, `must have at most ${labelsMax} labels`)
  .refine((all) => new Set(all.map((it) => it.Key)).size === all.length, 'must not repeat a key');

export const imageName = text(50, 1).regex(
  /^[a-z][a-z0-9-]*$/,
  'must start with a lower-case letter and hold only lower-case letters, digits and hyphens (1 to 50 characters)',
);

export const imageUri = text(2048, 1).superRefine((uri, context) => {
  try {
    parseReference(uri, 'Uri');
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    context.addIssue({ code: 'custom', message: error.message.replace(/^Uri: /, '') });
  }
});

/** Body of PAI's AddImage. `Size` is what the caller thinks; what the registry holds wins. */
export const addImageBody = z.object(
  {
    Name: imageName,
    ImageUri: imageUri,
    Description: text(1024).default(''),
    Labels: labels.default([]),
    WorkspaceId: idText(64).optional(),
    Accessibility: oneOf(visibilities).default('PRIVATE'),
    Size: z.int('must be a whole number of GB').min(0, 'must be at least 0').optional(),
    ImageId: text(64)
      .regex(/^image-[A-Za-z0-9]{18}$/, 'must be image- and 18 letters or digits')
      .optional(),
    SourceType: text(128).optional(),
    SourceId: text(256).optional(),
  },
  'must be a JSON object',
);
export type AddImageBody = z.infer<typeof addImageBody>;

export const addImageLabelsBody = z.object({ Labels: labels }, 'must be a JSON object');

const labelFilter = text(4096).transform((filter, context) =>
  filter
    .split(',')
    .filter(Boolean)
    .map((pair) => {
      const equals = pair.indexOf('=');
      if (equals < 1) {
        context.addIssue({ code: 'custom', message: 'must be key=value pairs joined by commas' });
        return z.NEVER;
      }
      return { Key: pair.slice(0, equals), Value: pair.slice(equals + 1) };
    }),
);

export const pageNumber = queryInt(1, 1_000_000).default(1);
export const pageSize = (fallback: number) => queryInt(1, 100).default(fallback);

export const listImagesQuery = z.object({
  Name: text(512).optional(),
  Query: text(512).optional(),
  ImageUri: text(2048).optional(),
  Labels: labelFilter.optional(),
  WorkspaceId: text(64).optional(),
  Accessibility: oneOf(visibilities).optional(),
  Verbose: queryBoolean.default(false),
  SortBy: oneOf(['GmtCreateTime']).optional(),
  Order: oneOf(['ASC', 'DESC']).default('ASC'),
  PageNumber: pageNumber,
  PageSize: pageSize(20),
});
export type ListImagesQuery = z.infer<typeof listImagesQuery>;

export const getImageQuery = z.object({ Verbose: queryBoolean.default(false) });

export const listImageLabelsQuery = z.object({
  LabelKeys: text(4096)
    .transform((it) => it.split(',').filter(Boolean))
    .optional(),
  LabelFilter: labelFilter.optional(),
  ImageId: text(64).optional(),
  WorkspaceId: text(64).optional(),
});
export type ListImageLabelsQuery = z.infer<typeof listImageLabelsQuery>;

const shownLabel = z.object({ Key: z.string(), Value: z.string() });

/** An image as PAI shows it; the last four fields are Kiln's own. */
export const shownImage = z
  .object({
    ImageId: z.string(),
    Name: z.string(),
    Description: z.string(),
    ImageUri: z.string(),
    Accessibility: z.enum(visibilities),
    WorkspaceId: z.string(),
    UserId: z.string(),
    ParentUserId: z.string(),
    Size: z.int().describe('bytes'),
    SourceType: z.string().describe('Build, Import, or what AddImage said'),
    SourceId: z.string().optional().describe('of a build, its ImageBuildId'),
    GmtCreateTime: z.iso.datetime(),
    GmtModifiedTime: z.iso.datetime(),
    Labels: z.array(shownLabel).optional(),
    SizeInBytes: z.int(),
    Digest: z.string(),
    Status: z.enum(imageStatuses),
    StatusMessage: z.string().describe('why it has that status; empty where there is nothing to say'),
  })
  .meta({ id: 'PaiImage' });

export const shownLabels = z.array(shownLabel);
