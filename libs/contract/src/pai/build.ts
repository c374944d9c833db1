import { z } from 'zod';
import { buildPhases, buildStates, lanes, lineages, placementReasons, stepResults, waitingReasons } from '@kiln/domain';
import { oneOf, queryBoolean, queryInt, queryTime, text } from '../text.ts';
import { imageName, imageUri } from './image.ts';
import { clientToken } from './image-build.ts';

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

/** Kiln's own retry and rerun of a build. */
export const repeatBuildQuery = z.object({ ClientToken: clientToken.optional(), Lane: oneOf(lanes).optional() });

/** What a rerun replaces in the request of the build that it repeats. */
export const rerunBody = z.object(
  {
    ImageBuildJobName: text(256).optional(),
    OverwriteImageTag: z.boolean('must be true or false').optional(),
    Image: z
      .object({ Name: imageName.optional(), Uri: imageUri.optional() }, 'must be an object {Name, Uri}')
      .optional(),
  },
  'must be a JSON object',
);
export type RerunBody = z.infer<typeof rerunBody>;

/** Kiln's own reading of a build's log: lines from `Cursor` on (0 is the first). */
export const buildLogsQuery = z.object({
  /** `sse`, and `text` with Follow, go on until the build has ended. */
  Format: oneOf(['text', 'ndjson', 'sse']).optional(),
  Follow: queryBoolean.default(false),
  Attempt: queryInt(1, 1000).optional(),
  /** Only the lines of one step of the attempt, by its number. */
  Step: queryInt(1, 1000).optional(),
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
    Reason: z.string().optional().describe('what kind of failure it is, by the table of diagnoses'),
    Cause: z.string().optional().describe('what happened, in a sentence'),
    Excerpt: z.array(z.string()).optional().describe('the lines of the log that say so'),
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
    Lane: z.enum(lanes),
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
    Waiting: z
      .object({
        Reason: z.enum(waitingReasons),
        Message: z.string(),
        Position: z.int().describe('1 for the build that goes next'),
        Ahead: z.int().describe('builds that are likely to start before it'),
        EarliestStart: z.iso.datetime().optional(),
        LatestStart: z.iso.datetime().optional(),
      })
      .optional()
      .describe('there while the build waits'),
    Repeats: z
      .object({ ImageBuildId: z.string(), Lineage: z.enum(lineages) })
      .optional()
      .describe('the build that this one does again'),
    RepeatedBy: z
      .array(z.object({ ImageBuildId: z.string(), Lineage: z.enum(lineages), State: z.enum(buildStates) }))
      .describe('builds that do this one again, oldest first'),
    Attempts: z.array(
      z.object({
        Attempt: z.int(),
        Worker: z.string(),
        GmtStartTime: z.iso.datetime(),
        GmtFinishTime: z.iso.datetime().optional(),
        Outcome: z.string().optional(),
        Placement: z
          .enum(placementReasons)
          .optional()
          .describe(
            'why it had its builder: that has built what it begins with, those that have were busy, or none has',
          ),
        HeldSeconds: z
          .number()
          .optional()
          .describe('for how long it was held back for a builder that has built what it begins with'),
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
        Bytes: z.int().optional().describe('what went from and to registries'),
      }),
    ),
    Steps: z.array(
      z.object({
        Step: z.int().describe('its place among the instructions of the Dockerfile, from 1'),
        Attempt: z.int(),
        Stage: z.int(),
        Instruction: z.string(),
        FirstLine: z.int(),
        LastLine: z.int(),
        LogLine: z.int().describe('cursor of its first line in the log'),
        GmtStartTime: z.iso.datetime(),
        GmtFinishTime: z.iso.datetime().optional(),
        DurationMs: z.number().optional(),
        Result: z.enum(stepResults).optional().describe('absent while it runs'),
        ExitCode: z.int().optional(),
      }),
    ),
    Events: z.array(
      z.object({ Time: z.iso.datetime(), State: z.enum(buildStates), Attempt: z.int(), Message: z.string() }),
    ),
    ImageId: z.string().optional(),
    Notes: z.array(z.string()).describe('where the build does not have quite what its request says'),
    Request: z.record(z.string(), z.unknown()).describe('the request as accepted, without its credentials'),
  })
  .meta({ id: 'Build' });

const durations = { DurationMs: z.number().optional(), PreviousMs: z.number().optional() };

/** A build beside the one of the same repository before it. */
export const shownComparison = z
  .object({
    Previous: shownBuildSummary.optional().describe('absent when it is the first one'),
    ...durations,
    Phases: z.array(z.object({ Phase: z.enum(buildPhases), ...durations })),
    Steps: z.array(
      z.object({
        Step: z.int(),
        Instruction: z.string(),
        Result: z.enum(stepResults).optional(),
        PreviousResult: z.enum(stepResults).optional().describe('absent when the build before had no such step'),
        ...durations,
      }),
    ),
    FirstChange: z
      .object({ Step: z.int(), Instruction: z.string(), Why: z.string() })
      .optional()
      .describe('the first step that was not taken from the cache, though the build before had come further'),
  })
  .meta({ id: 'BuildComparison' });
