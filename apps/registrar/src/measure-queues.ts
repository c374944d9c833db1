import { commonPool } from '@kiln/domain';
import { measureOnDemand, metrics } from '@kiln/kit';
import {
  countQuarantined,
  type Database,
  readDeliveryLag,
  readLanes,
  readOutbox,
  readScaling,
  readSlots,
} from '@kiln/persistence';

/** Measures what waits and what is busy, whenever somebody asks for this process's metrics. */
export const measureQueues = (db: Database): void =>
  measureOnDemand(async () => {
    const [lanes, slots, scaling, outbox, quarantined, deliveries] = await Promise.all([
      readLanes(db),
      readSlots(db),
      readScaling(db),
      readOutbox(db),
      countQuarantined(db),
      readDeliveryLag(db),
    ]);
    // A lane in which nothing waits any more is not among them.
    metrics.buildsWaiting.reset();
    metrics.oldestWaitingSeconds.reset();
    metrics.scalingSlots.reset();
    metrics.scalingSeconds.reset();
    metrics.slots.reset();
    metrics.slotsBusy.reset();
    // There even when no builder is: nothing is not the same as none.
    metrics.slots.set({ pool: commonPool }, 0);
    for (const { pool, lane, waiting, oldestSeconds } of lanes) {
      metrics.buildsWaiting.set({ pool, lane }, waiting);
      metrics.oldestWaitingSeconds.set({ pool, lane }, oldestSeconds);
    }
    for (const it of scaling) {
      metrics.scalingSlots.set({ pool: it.pool }, it.wantedSlots);
      metrics.scalingSeconds.set({ pool: it.pool }, it.oldestWaitingSeconds);
    }
    for (const it of slots) {
      metrics.slots.set({ pool: it.pool }, it.slots);
      metrics.slotsBusy.set({ pool: it.pool }, it.busy);
    }
    metrics.outboxOldestSeconds.set(outbox.oldestMs / 1000);
    metrics.quarantined.set(quarantined);
    metrics.webhookDeliveriesWaiting.set(deliveries.waiting);
    metrics.eventsUndispatchedSeconds.set(deliveries.oldestUndispatchedSeconds);
    metrics.webhookOldestSeconds.set(deliveries.oldestDueSeconds);
  });
