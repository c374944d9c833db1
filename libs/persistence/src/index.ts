export * from './audit.ts';
export * from './build-secrets.ts';
export * from './seals.ts';
export * from './build-log.ts';
export * from './build-queries.ts';
export * from './build-steps.ts';
export * from './build-work.ts';
export * from './cancel-build.ts';
export * from './database.ts';
export * from './events.ts';
export * from './identity.ts';
export * from './image-queries.ts';
export * from './image-groups.ts';
export * from './images.ts';
export * from './lists/builds.ts';
export * from './lists/groups.ts';
export { listModelArtsImages, listPaiImages } from './lists/images.ts';
export { showImage, type ShownImage } from './lists/shown-images.ts';
export * from './lists/jobs.ts';
export * from './lists/labels.ts';
export { openRememberedLists, type RememberedLists } from './lists/remembered.ts';
export { inScope, type ListScope, workspacesSeenBy } from './lists/scope.ts';
export * from './kept-images.ts';
export * from './app-roles.ts';
export * from './migrate.ts';
export * from './move-build.ts';
export * from './nonces.ts';
export * from './outbox.ts';
export * from './provision.ts';
export * from './registration.ts';
export * from './repository-use.ts';
export * from './end-attempt.ts';
export * from './submit-build.ts';
export * from './sweep-clocks.ts';
export * from './sweep-leases.ts';
export * from './sweep-queue.ts';
export * from './sweeps.ts';
export { dispatch } from './waiting-room/dispatch.ts';
export * from './waiting-room/limits.ts';
export * from './waiting-room/place-in-line.ts';
export {
  cordonWorker,
  forgetOldWorkers,
  type HeldClaim,
  listDeadWorkers,
  listWorkers,
  openWorkerSession,
  type RenewedClaim,
  type Worker,
  type WorkerSession,
} from './worker-session.ts';
export * from './work-at-hand.ts';
export * from './webhooks.ts';
export * from './webhook-deliveries.ts';
export { acrossAccounts, actingFor } from './wall.ts';
export { type BuildSpec, type WorkerAbout } from './tables/builds.ts';
export * from './overview.ts';
