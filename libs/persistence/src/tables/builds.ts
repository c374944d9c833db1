import {
  buildStates,
  buildPhases,
  lanes,
  lineages,
  liveStates,
  stepResults,
  visibilities,
  type BuildError,
  type BuildRequest,
  type PlacementReason,
} from '@kiln/domain';
import { sql } from 'drizzle-orm';
import {
  bigint,
  boolean,
  index,
  integer,
  jsonb,
  pgSequence,
  pgTable,
  primaryKey,
  text,
  uniqueIndex,
  uuid,
} from 'drizzle-orm/pg-core';
import { atOnce, moment } from './moment.ts';

/** Fences only grow; every claim takes a new one, and a write that names an old one is refused. */
export const fences = pgSequence('fences');

/**
 * Account, project, workspace and user are not foreign keys: those rows are revoked, never deleted, and a check would
 * lock the same four rows in every submission.
 */
export const builds = pgTable(
  'builds',
  {
    id: text('id').primaryKey(),
    jobId: text('job_id').notNull().unique(),
    accountId: text('account_id').notNull(),
    projectId: text('project_id').notNull(),
    workspaceId: text('workspace_id').notNull(),
    userId: text('user_id').notNull(),
    clientToken: text('client_token'),
    /** Keyed hash of the whole parsed request, to tell a repeated token with another body. */
    requestHash: text('request_hash').notNull(),
    request: jsonb('request').$type<BuildRequest>().notNull(),
    registryAuthsSealed: text('registry_auths_sealed'),
    displayName: text('display_name').notNull(),
    imageName: text('image_name').notNull(),
    registryConnectionId: text('registry_connection_id').notNull(),
    host: text('host').notNull(),
    repository: text('repository').notNull(),
    tag: text('tag').notNull(),
    overwrite: boolean('overwrite').notNull(),
    accessibility: text('accessibility', { enum: visibilities }).notNull(),

    state: text('state', { enum: buildStates }).notNull(),
    phase: text('phase', { enum: buildPhases }).notNull(),
    attempt: integer('attempt').notNull().default(0),
    fence: bigint('fence', { mode: 'number' }).notNull().default(0),
    worker: text('worker'),
    leaseUntil: moment('lease_until'),
    notBefore: moment('not_before').notNull().default(atOnce),
    /** Which of its account's builds go first. */
    lane: text('lane', { enum: lanes }).notNull().default('normal'),
    /** The builders that may take it; empty for those of the common pool. */
    pool: text('pool').notNull().default(''),
    /** What its sender is told of it: where it does not have quite what the request says. */
    notes: text('notes').array().notNull().default([]),
    /** A hash of what its Dockerfile begins with: builds with the same share the beginning of a cache. */
    cacheKey: text('cache_key').notNull().default(''),
    /** When the dispatcher let it out of the pending queue and into the queue; null while it waits. */
    admittedAt: moment('admitted_at'),
    /** Since when its turn has come and it is held back for a builder that has built what it begins with. */
    heldAt: moment('held_at'),
    /** Which builder the dispatcher meant it for, and why; null while it waits. */
    placement: jsonb('placement').$type<Placement>(),
    /** Builders that this attempt was meant for, and that did not come for it. */
    missedBy: text('missed_by').array().notNull().default([]),
    /** When the queue was last told; the sweeper tells it again when nothing came of it. */
    announcedAt: moment('announced_at').notNull().defaultNow(),
    cancelRequestedAt: moment('cancel_requested_at'),
    /** Attempts that ended by no fault of the build. */
    failures: integer('failures').notNull().default(0),
    phaseStartedAt: moment('phase_started_at'),
    /** When the running step last printed something. */
    outputAt: moment('output_at'),
    /** Set when the build killed too many workers to be tried by anyone but an operator. */
    quarantinedAt: moment('quarantined_at'),

    /** The span in which it was asked for, as W3C's `traceparent`; null where nobody traces. */
    trace: text('trace'),

    /** The build that this one does again, and how. */
    parentId: text('parent_id'),
    lineage: text('lineage', { enum: lineages }),

    digest: text('digest'),
    sizeBytes: bigint('size_bytes', { mode: 'number' }),
    imageId: uuid('image_id'),
    error: jsonb('error').$type<BuildError>(),
    createdAt: moment('created_at').notNull().defaultNow(),
    startedAt: moment('started_at'),
    finishedAt: moment('finished_at'),
    updatedAt: moment('updated_at').notNull().defaultNow(),
    /** DeleteJob hides a build from the list of jobs; nothing else changes. */
    jobDeletedAt: moment('job_deleted_at'),
  },
  (t) => {
    const live = sql`${t.state} IN (${sql.raw(liveStates.map((it) => `'${it}'`).join(', '))})`;
    return [
      uniqueIndex('builds_client_token').on(t.accountId, t.clientToken),
      uniqueIndex('builds_live_name').on(t.workspaceId, t.imageName).where(live),
      index('builds_live').on(t.state, t.leaseUntil).where(live),
      index('builds_waiting')
        .on(t.accountId, t.pool, t.lane, t.createdAt, t.id)
        .where(sql`${t.state} = 'queued' AND ${t.admittedAt} IS NULL`),
      index('builds_admitted')
        .on(t.announcedAt)
        .where(sql`${t.state} = 'queued' AND ${t.admittedAt} IS NOT NULL`),
      index('builds_queued_since')
        .on(t.createdAt)
        .where(sql`${t.state} = 'queued'`),
      index('builds_target').on(t.workspaceId, t.host, t.repository, t.createdAt),
      index('builds_parent')
        .on(t.parentId)
        .where(sql`${t.parentId} IS NOT NULL`),
      index('builds_finished')
        .on(t.finishedAt)
        .where(sql`${t.finishedAt} IS NOT NULL`),
      index('builds_account_finished')
        .on(t.accountId, t.finishedAt)
        .where(sql`${t.finishedAt} IS NOT NULL`),
      index('builds_quarantined')
        .on(t.quarantinedAt)
        .where(sql`${t.quarantinedAt} IS NOT NULL`),
    ];
  },
);

const buildId = () =>
  text('build_id')
    .notNull()
    .references(() => builds.id, { onDelete: 'cascade' });

/** An image that a build started from, as its Dockerfile names it, and by digest. */
export interface BuildBase {
  name: string;
  /** `host/repository@sha256:…` */
  id: string;
  /** The same of the index that it was chosen from, where the name stands for several platforms. */
  index?: string | undefined;
  /** `os/architecture` */
  platform: string;
  /** `host/repository:tag`, completed; undefined where the Dockerfile names it by digest. */
  reference?: string | undefined;
}

/** What the dispatcher decided for a build. */
export interface Placement {
  /** Name of the builder. */
  on: string;
  why: PlacementReason;
  /** For how long it was held back, in milliseconds. */
  heldMs: number;
  /** Whether that builder alone was told, by its own queue. */
  own: boolean;
}

/** One try of a build on one worker. */
export const buildAttempts = pgTable(
  'build_attempts',
  {
    buildId: buildId(),
    attempt: integer('attempt').notNull(),
    fence: bigint('fence', { mode: 'number' }).notNull().unique(),
    worker: text('worker').notNull(),
    startedAt: moment('started_at').notNull().defaultNow(),
    endedAt: moment('ended_at'),
    outcome: text('outcome'),
    /** The images that it started from; null until they were found. */
    bases: jsonb('bases').$type<BuildBase[]>(),
    /** Why its builder has it; null when another one had been meant. */
    placement: jsonb('placement').$type<Placement>(),
  },
  (t) => [
    primaryKey({ columns: [t.buildId, t.attempt] }),
    index('build_attempts_bases').using('gin', t.bases.op('jsonb_path_ops')),
  ],
);

export const buildPhaseTimes = pgTable(
  'build_phases',
  {
    buildId: buildId(),
    attempt: integer('attempt').notNull(),
    phase: text('phase', { enum: buildPhases }).notNull(),
    startedAt: moment('started_at').notNull(),
    endedAt: moment('ended_at').notNull(),
    result: text('result', { enum: ['ok', 'failed', 'cancelled'] }).notNull(),
    /** What went from and to registries meanwhile; null where nobody counted. */
    bytes: bigint('bytes', { mode: 'number' }),
  },
  (t) => [primaryKey({ columns: [t.buildId, t.attempt, t.phase] })],
);

/**
 * The instructions of a Dockerfile as an attempt came to them; one without an end was still at work when the attempt
 * ended.
 */
export const buildSteps = pgTable(
  'build_steps',
  {
    buildId: buildId(),
    attempt: integer('attempt').notNull(),
    /** Its place among the Dockerfile's instructions, from 1. */
    number: integer('number').notNull(),
    stage: integer('stage').notNull(),
    /** As the Dockerfile has it, on one line and cut at 2,000 characters. */
    instruction: text('instruction').notNull(),
    firstLine: integer('first_line').notNull(),
    lastLine: integer('last_line').notNull(),
    /** Number of its first line in the attempt's log; others' may come between its own. */
    logLine: integer('log_line').notNull(),
    /** Number of the line after its last one; null while it runs. */
    logEnd: integer('log_end'),
    startedAt: moment('started_at').notNull(),
    endedAt: moment('ended_at'),
    result: text('result', { enum: stepResults }),
    exitCode: integer('exit_code'),
  },
  (t) => [primaryKey({ columns: [t.buildId, t.attempt, t.number] })],
);

/** What happened to a build, in order: one row for each change of state. */
export const buildEvents = pgTable(
  'build_events',
  {
    id: bigint('id', { mode: 'number' }).primaryKey().generatedAlwaysAsIdentity(),
    buildId: buildId(),
    at: moment('at').notNull().defaultNow(),
    state: text('state', { enum: buildStates }).notNull(),
    attempt: integer('attempt').notNull(),
    message: text('message').notNull(),
  },
  (t) => [index('build_events_build').on(t.buildId, t.id)],
);

/** A build's log, in pieces of at most 64 KiB, as they came. */
export const buildLogChunks = pgTable(
  'build_log_chunks',
  {
    buildId: buildId(),
    attempt: integer('attempt').notNull(),
    seq: integer('seq').notNull(),
    /** Number of the chunk's first line in its attempt, from 0. */
    firstLine: integer('first_line').notNull(),
    /** When each line came, in milliseconds since 1970. */
    lineTimes: bigint('line_times', { mode: 'number' }).array().notNull(),
    /** Number of the step that each line belongs to; 0 for what is no step's. */
    lineSteps: integer('line_steps').array().notNull(),
    /** The lines, joined by line feeds. */
    text: text('text').notNull(),
  },
  (t) => [primaryKey({ columns: [t.buildId, t.attempt, t.seq] })],
);

/** Announcements written with the change they announce, relayed to the queue afterwards and then deleted. */
export const outbox = pgTable(
  'outbox',
  {
    id: bigint('id', { mode: 'number' }).primaryKey().generatedAlwaysAsIdentity(),
    topic: text('topic').notNull(),
    /**
     * What it is about, for people; with the row's id it is the queue job's id, so that sending a row twice makes one
     * job.
     */
    key: text('key').notNull(),
    payload: jsonb('payload').notNull(),
    /** The span in which it was written, as W3C's `traceparent`; null where nobody traces. */
    trace: text('trace'),
    notBefore: moment('not_before').notNull().default(atOnce),
  },
  (t) => [index('outbox_due').on(t.notBefore, t.id)],
);

/** A row of the builds. */
export type Build = typeof builds.$inferSelect;
