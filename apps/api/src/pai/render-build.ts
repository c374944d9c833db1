import type {
  Build,
  BuildEvent,
  BuildStep,
  Image,
  listAttempts,
  listPhases,
  Repeat,
  ShownBuild,
} from '@kiln/persistence';
import { formatReference } from '@kiln/domain';
import type { ShownPlace } from '../usecases/place-in-line.ts';
import { renderBuildRequest } from './build-request.ts';
import { optional } from '../http/optional.ts';

type Attempt = Awaited<ReturnType<typeof listAttempts>>[number];
type PhaseTime = Awaited<ReturnType<typeof listPhases>>[number];

/** A build in a list: its state and result. */
export const renderBuildSummary = (build: Build | ShownBuild) => ({
  ImageBuildId: build.id,
  ImageBuildJobId: build.jobId,
  DisplayName: build.displayName,
  WorkspaceId: build.workspaceId,
  UserId: build.userId,
  ImageName: build.imageName,
  ImageUri: formatReference(build),
  State: build.state,
  Phase: build.phase,
  Attempt: build.attempt,
  Lane: build.lane,
  GmtCreateTime: build.createdAt.toISOString(),
  ...optional('GmtStartTime', build.startedAt?.toISOString()),
  ...optional('GmtFinishTime', build.finishedAt?.toISOString()),
  ...optional('Digest', build.digest),
  ...optional('SizeInBytes', build.sizeBytes),
  ...optional('Error', build.error && renderError(build.error)),
});

const renderError = (error: NonNullable<Build['error']>) => ({
  Code: error.code,
  Class: error.class,
  ...optional('Phase', error.phase),
  Attempt: error.attempt,
  Message: error.message,
  ...optional('Step', error.step),
  ...optional('FirstLine', error.lines?.[0]),
  ...optional('LastLine', error.lines?.[1]),
  ...optional('ExitCode', error.exitCode),
  ...optional('LogTail', error.logTail),
  ...optional('Reason', error.reason),
  ...optional('Cause', error.cause),
  ...optional('Excerpt', error.excerpt),
  ...optional('Hint', error.hint),
});

const renderPlace = ({ reason, message, ahead, start }: ShownPlace) => ({
  Reason: reason,
  Message: message,
  Position: ahead + 1,
  Ahead: ahead,
  ...(start ? { EarliestStart: start.earliest.toISOString(), LatestStart: start.latest.toISOString() } : {}),
});

/** Everything about one build. Of the request, credentials are left out: only the hosts that they were for remain. */
export const renderBuild = (
  build: Build,
  parts: {
    attempts: Attempt[];
    phases: PhaseTime[];
    steps: BuildStep[];
    events: BuildEvent[];
    image: Image | undefined;
    place: ShownPlace | undefined;
    repeatedBy: Repeat[];
  },
) => ({
  ...renderBuildSummary(build),
  ...optional('Waiting', parts.place && renderPlace(parts.place)),
  ...(build.parentId === null || build.lineage === null
    ? {}
    : { Repeats: { ImageBuildId: build.parentId, Lineage: build.lineage } }),
  RepeatedBy: parts.repeatedBy.map((it) => ({ ImageBuildId: it.id, Lineage: it.lineage, State: it.state })),
  Attempts: parts.attempts.map((it) => ({
    Attempt: it.attempt,
    Worker: it.worker,
    GmtStartTime: it.startedAt.toISOString(),
    ...optional('GmtFinishTime', it.endedAt?.toISOString()),
    ...optional('Outcome', it.outcome),
    ...optional('Placement', it.placement?.why),
    ...optional('HeldSeconds', it.placement?.heldMs ? it.placement.heldMs / 1000 : undefined),
  })),
  Phases: parts.phases.map((it) => ({
    Phase: it.phase,
    Attempt: it.attempt,
    GmtStartTime: it.startedAt.toISOString(),
    GmtFinishTime: it.endedAt.toISOString(),
    DurationMs: it.endedAt.getTime() - it.startedAt.getTime(),
    Result: it.result,
    ...optional('Bytes', it.bytes),
  })),
  Steps: parts.steps.map((it) => ({
    Step: it.number,
    Attempt: it.attempt,
    Stage: it.stage,
    Instruction: it.instruction,
    FirstLine: it.firstLine,
    LastLine: it.lastLine,
    LogLine: it.logLine,
    GmtStartTime: it.startedAt.toISOString(),
    ...optional('GmtFinishTime', it.endedAt?.toISOString()),
    ...optional('DurationMs', it.endedAt && it.endedAt.getTime() - it.startedAt.getTime()),
    ...optional('Result', it.result),
    ...optional('ExitCode', it.exitCode),
  })),
  Events: parts.events.map((it) => ({
    Time: it.at.toISOString(),
    State: it.state,
    Attempt: it.attempt,
    Message: it.message,
  })),
  ...optional('ImageId', parts.image?.paiId),
  Notes: build.notes,
  Request: renderBuildRequest(build.request),
});
