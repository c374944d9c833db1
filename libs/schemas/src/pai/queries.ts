import { z } from 'zod';
import { buildStates, visibilities } from '../build-states.ts';
import { oneOf, queryBoolean, queryInt, queryTime, text } from '../text.ts';

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

export const podLogsQuery = z.object({
  StartTime: queryTime.optional(),
  EndTime: queryTime.optional(),
  MaxLines: queryInt(1, 10_000).default(2000),
  DownloadToFile: queryBoolean.default(false),
});

export const jobEventsQuery = z.object({
  StartTime: queryTime.optional(),
  EndTime: queryTime.optional(),
  MaxEventsNum: queryInt(1, 10_000).default(2000),
});

/** Kiln's own list of builds, in PAI's style. */
export const listBuildsQuery = z.object({
  WorkspaceId: text(64).optional(),
  State: text(256)
    .transform((it) => it.split(','))
    .pipe(z.array(oneOf(buildStates)))
    .optional(),
  Name: text(512).optional(),
  ImageUri: text(2048).optional(),
  Since: queryTime.optional(),
  Until: queryTime.optional(),
  Limit: queryInt(1, 100).default(20),
  Cursor: text(256).optional(),
});
export type ListBuildsQuery = z.infer<typeof listBuildsQuery>;

/** Kiln's own reading of a build's log: lines from `Cursor` on (0 is the first). */
export const buildLogsQuery = z.object({
  Format: oneOf(['text', 'ndjson']).optional(),
  Attempt: queryInt(1, 1000).optional(),
  Cursor: queryInt(0, 2_000_000_000).default(0),
  Limit: queryInt(1, 100_000).default(10_000),
});
