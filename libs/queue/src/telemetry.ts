import { isTracing } from '@kiln/kit';
import { type QueueOptions } from 'bullmq';
import { BullMQOtel } from 'bullmq-otel';

/** Has a queue, or who works it off, carry traces along with jobs, where spans go anywhere. */
export const openTelemetry = (): Pick<QueueOptions, 'telemetry'> =>
  isTracing() ? { telemetry: new BullMQOtel({ tracerName: 'kiln-queue' }) } : {};
