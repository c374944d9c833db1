export * from './accounts/audit.ts';
export { cutAudit } from './accounts/cut-audit.ts';
export * from './attestations/attestations.ts';
export * from './attestations/signing-keys.ts';
export * from './accounts/build-secrets.ts';
export * from './accounts/own-identities.ts';
export * from './accounts/seals.ts';
export * from './builds/build-log.ts';
export * from './builds/build-queries.ts';
export * from './builds/build-steps.ts';
export * from './builds/build-work.ts';
export * from './builds/cancel-build.ts';
export * from './contexts/contexts.ts';
export * from './contexts/source-connections.ts';
export * from './db/database.ts';
export { whileLocked } from './db/locks.ts';
export * from './events/events.ts';
export * from './accounts/identity.ts';
export * from './images/base-chain.ts';
export * from './images/image-queries.ts';
export * from './inspections/inspections.ts';
export * from './inspections/search-packages.ts';
export * from './policies/image-checks.ts';
export * from './policies/policies.ts';
export { type KeptFacts } from './tables/inspections.ts';
export * from './images/image-groups.ts';
export * from './images/images.ts';
export * from './lists/builds.ts';
export * from './lists/groups.ts';
export { listModelArtsImages, listPaiImages } from './lists/images.ts';
export { showImage, type ShownImage } from './lists/shown-images.ts';
export * from './lists/jobs.ts';
export * from './lists/labels.ts';
export { openRememberedLists, type RememberedLists } from './lists/remembered.ts';
export { inScope, type ListScope, workspacesSeenBy } from './lists/scope.ts';
export * from './schema/app-roles.ts';
export * from './schema/migrate.ts';
export { queueSchema } from './schema/queue-schema.ts';
export * from './builds/move-build.ts';
export * from './accounts/nonces.ts';
export * from './outbox/outbox.ts';
export * from './accounts/provision.ts';
export * from './builds/registration.ts';
export * from './images/repository-use.ts';
export * from './campaigns/campaign-selection.ts';
export * from './campaigns/campaigns.ts';
export * from './retention/retention-rules.ts';
export * from './retention/retention-plans.ts';
export * from './retention/retiring.ts';
export * from './drift/watched-tags.ts';
export * from './drift/image-drift.ts';
export * from './drift/list-drift.ts';
export * from './builds/requeue-or-fail.ts';
export * from './builds/submit-build.ts';
export * from './sweeps/forget-builds.ts';
export * from './sweeps/neglect.ts';
export { type Clocks, sweepClocks } from './sweeps/sweep-clocks.ts';
export { sweepLeases, sweepRegistrations } from './sweeps/sweep-leases.ts';
export { placeAnew, republishStale } from './sweeps/sweep-queue.ts';
export * from './sweeps/sweeps.ts';
export { dispatch, listQueueBuilders } from './scheduling/dispatch.ts';
export { type CacheDirectory, openCacheDirectory } from './workers/worker-caches.ts';
export * from './scheduling/limits.ts';
export * from './scheduling/place-in-line.ts';
export {
  cordonWorker,
  forgetCache,
  forgetOldWorkers,
  type HeldClaim,
  listWorkers,
  openWorkerSession,
  type RenewedClaim,
  type Worker,
  type WorkerSession,
} from './workers/worker-session.ts';
export * from './scheduling/work-at-hand.ts';
export * from './events/webhooks.ts';
export * from './events/webhook-deliveries.ts';
export { acrossAccounts, actingFor } from './db/tenant-pool.ts';
export { type Build } from './tables/builds.ts';
export { type WorkerAbout } from './tables/workers.ts';
export { type Image } from './tables/images.ts';
export * from './reports/overview.ts';
export * from './reports/scaling.ts';
