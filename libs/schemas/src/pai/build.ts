import { z } from 'zod';
import { buildPhases, buildStates } from '../build-states.ts';
import { oneOf, queryInt, queryTime, text } from '../text.ts';

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

const shownError = z
  .object({
    Code: z.string(),
    Class: z.string(),
    Phase: z.enum(buildPhases).optional(),
    Attempt: z.int(),
    Message: z.string(),
    Step: z.string().optional(),
    FirstLine: z.int().optional(),
    LastLine: z.int().optional(),
    ExitCode: z.int().optional(),
    LogTail: z.array(z.string()).optional(),
    Hint: z.string().optional(),
  })
  .meta({ id: 'BuildError' });

/** A build in a list: its state and result. */
export const shownBuildSummary = z
  .object({
    ImageBuildId: z.string(),
    ImageBuildJobId: z.string(),
    DisplayName: z.string(),
    WorkspaceId: z.string(),
    UserId: z.string(),
    ImageName: z.string(),
    ImageUri: z.string(),
    State: z.enum(buildStates),
    Phase: z.enum(buildPhases),
    Attempt: z.int(),
    GmtCreateTime: z.iso.datetime(),
    GmtStartTime: z.iso.datetime().optional(),
    GmtFinishTime: z.iso.datetime().optional(),
    Digest: z.string().optional(),
    SizeInBytes: z.int().optional(),
    Error: shownError.optional(),
  })
  .meta({ id: 'BuildSummary' });

/** Everything about one build. */
export const shownBuild = shownBuildSummary
  .extend({
    Attempts: z.array(
      z.object({
        Attempt: z.int(),
        Worker: z.string(),
        GmtStartTime: z.iso.datetime(),
        GmtFinishTime: z.iso.datetime().optional(),
        Outcome: z.string().optional(),
      }),
    ),
    Phases: z.array(
      z.object({
        Phase: z.enum(buildPhases),
        Attempt: z.int(),
        GmtStartTime: z.iso.datetime(),
        GmtFinishTime: z.iso.datetime(),
        DurationMs: z.number(),
        Result: z.enum(['ok', 'failed', 'cancelled']),
      }),
    ),
    Events: z.array(
      z.object({ Time: z.iso.datetime(), State: z.enum(buildStates), Attempt: z.int(), Message: z.string() }),
    ),
    ImageId: z.string().optional(),
    Request: z.record(z.string(), z.unknown()).describe('the request as accepted, without its credentials'),
  })
  .meta({ id: 'Build' });
