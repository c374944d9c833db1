import { hostname } from 'node:os';
import { diag, DiagLogLevel, SpanKind } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import * as sdk from '@opentelemetry/sdk-trace-node';
import type { Lifecycle } from '../lifecycle.ts';
import type { Logger } from './logger.ts';
import { startTracing } from './spans.ts';

/** Long enough for what is still to be sent, where the collector is there. */
const goodbyeMs = 2000;

/** Sends every span from now on to where the environment says. */
export function exportSpans(app: string, life: Lifecycle, log: Logger): void {
  const { env } = process;
  const wanted = Number(env['OTEL_TRACES_SAMPLER_ARG'] || 1);
  if (!(wanted >= 0 && wanted <= 1)) throw new Error('OTEL_TRACES_SAMPLER_ARG must be a number from 0 to 1');
  const ratio = new sdk.TraceIdRatioBasedSampler(wanted);
  // A collector that is away, or is none, is told of; once a minute is enough.
  let toldAt = -Infinity;
  const tell = (message: string) => {
    if (performance.now() - toldAt < 60_000) return;
    toldAt = performance.now();
    log.warn({ endpoint: env['OTEL_EXPORTER_OTLP_ENDPOINT'] }, `traces: ${message.slice(0, 300)}`);
  };
  const silent = () => undefined;
  diag.setLogger({ error: tell, warn: tell, info: silent, debug: silent, verbose: silent }, DiagLogLevel.WARN);
  const never = new sdk.AlwaysOffSampler();
  const provider = new sdk.NodeTracerProvider({
    resource: resourceFromAttributes({
      'service.name': env['OTEL_SERVICE_NAME'] || `kiln-${app}`,
      'service.instance.id': `${hostname()}-${process.pid}`,
    }),
    sampler: new sdk.ParentBasedSampler({
      root: {
        shouldSample: (ctx, traceId, _name, kind) =>
          kind === SpanKind.SERVER ? ratio.shouldSample(ctx, traceId) : never.shouldSample(),
        toString: () => 'RequestsOnly',
      },
    }),
    spanProcessors: [new sdk.BatchSpanProcessor(new OTLPTraceExporter(), { scheduledDelayMillis: 1000 })],
  });
  provider.register();
  startTracing();
  life.defer('tracing', async () => {
    const late = new Promise((resolve) => setTimeout(resolve, goodbyeMs).unref());
    await Promise.race([provider.shutdown(), late]);
  });
}
