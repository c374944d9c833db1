import type { Lifecycle } from '../lifecycle.ts';
import type { Logger } from './logger.ts';

/**
 * Sends spans by OTLP over HTTP, when `OTEL_EXPORTER_OTLP_ENDPOINT` says where to; the other settings of
 * OpenTelemetry's exporter hold, too. Without it the exporter is not even loaded. A trace begins with a request: what
 * belongs to none is not recorded.
 */
export async function openTracing(app: string, life: Lifecycle, log: Logger): Promise<void> {
  const { env } = process;
  if (!env['OTEL_EXPORTER_OTLP_ENDPOINT'] && !env['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT']) return;
  const { exportSpans } = await import('./export-spans.ts');
  exportSpans(app, life, log);
}
