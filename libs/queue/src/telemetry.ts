import { isTracing } from '@kiln/kit';
import type { QueueOptions } from 'bullmq';
import { BullMQOtel, BullMQOTelSpan } from 'bullmq-otel';

/** What an exception says may hold what users wrote, or where Redis is. */
class Discreet extends BullMQOTelSpan {
  override recordException(): void {
    this.setAttribute('error.type', 'Error');
  }
}

/** Has a queue, or who works it off, carry traces along with jobs, where spans go anywhere. */
export function openTelemetry(): Pick<QueueOptions, 'telemetry'> {
  if (!isTracing()) return {};
  const telemetry = new BullMQOtel({ tracerName: 'kiln-queue' });
  const { tracer } = telemetry;
  const startSpan = tracer.startSpan.bind(tracer);
  tracer.startSpan = (...about) => new Discreet((startSpan(...about) as BullMQOTelSpan).span);
  return { telemetry };
}
