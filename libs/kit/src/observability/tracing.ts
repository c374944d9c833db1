import { hostname } from 'node:os';
import {
  type Context,
  context,
  diag,
  DiagLogLevel,
  isSpanContextValid,
  propagation,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  TraceFlags,
} from '@opentelemetry/api';
import { type Lifecycle } from '../lifecycle.ts';
import { type Logger } from './logger.ts';

/**
 * All that a span may say: ids, names of Kiln's own, figures. Nothing that a user has written is among it, so that no secret can be.
 */
export interface SpanFacts {
  'kiln.request.id'?: string;
  'kiln.build.id'?: string;
  'kiln.image.id'?: string;
  'kiln.attempt'?: number;
  'kiln.phase'?: string;
  'kiln.step'?: number;
  'kiln.result'?: string;
  'http.request.method'?: string;
  'http.response.status_code'?: number;
  'server.address'?: string;
  'server.port'?: number;
}

let on = false;
/** Whether spans go anywhere. */
export const isTracing = (): boolean => on;

const tracer = () => trace.getTracer('kiln');

/** Long enough for what is still to be sent, where the collector is there. */
const goodbyeMs = 2000;

/**
 * Sends spans by OTLP over HTTP, when `OTEL_EXPORTER_OTLP_ENDPOINT` says where to; the other settings of OpenTelemetry's exporter hold,
 * too. Without it the exporter is not even loaded. A trace begins with a request: what belongs to none is not recorded.
 */
export async function openTracing(app: string, life: Lifecycle, log: Logger): Promise<void> {
  const { env } = process;
  if (!env['OTEL_EXPORTER_OTLP_ENDPOINT'] && !env['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT']) return;
  const [sdk, { OTLPTraceExporter }, { resourceFromAttributes }] = await Promise.all([
    import('@opentelemetry/sdk-trace-node'),
    import('@opentelemetry/exporter-trace-otlp-http'),
    import('@opentelemetry/resources'),
  ]);
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
  on = true;
  life.defer('tracing', async () => {
    const late = new Promise((resolve) => setTimeout(resolve, goodbyeMs).unref());
    await Promise.race([provider.shutdown(), late]);
  });
}

const isRecorded = (it: Context): boolean => {
  const span = trace.getSpanContext(it);
  return span !== undefined && isSpanContextValid(span) && (span.traceFlags & TraceFlags.SAMPLED) !== 0;
};

const contextOf = (traceparent: string): Context => propagation.extract(ROOT_CONTEXT, { traceparent });

/** Where the present is in its trace, as W3C's `traceparent`, to go on from elsewhere; null where there is none. */
export function traceparent(): string | null {
  if (!on || !isRecorded(context.active())) return null;
  const carrier: { traceparent?: string } = {};
  propagation.inject(context.active(), carrier);
  return carrier.traceparent ?? null;
}

/** Does `work` where another process has said that it was. */
export const withTrace = <T>(parent: string | null | undefined, work: () => T): T =>
  on && parent ? context.with(contextOf(parent), work) : work();

export interface SpanOptions<T> {
  kind?: 'server' | 'client';
  /** Where it belongs when the present belongs to no trace that is recorded: what another process has said. */
  parent?: string | null | undefined;
  /** What is known only at the end. */
  after?: (result: T) => SpanFacts;
}

const kinds = { server: SpanKind.SERVER, client: SpanKind.CLIENT };

/** Does `work` in a span. What went wrong is told by its code; what it says may hold what users wrote. */
export async function inSpan<T>(
  name: string,
  facts: SpanFacts,
  work: () => Promise<T>,
  { kind, parent, after }: SpanOptions<T> = {},
): Promise<T> {
  if (!on) return work();
  const present = context.active();
  const from = parent && !isRecorded(present) ? contextOf(parent) : present;
  const span = tracer().startSpan(
    name,
    { kind: kind === undefined ? SpanKind.INTERNAL : kinds[kind], attributes: { ...facts } },
    from,
  );
  try {
    const result = await context.with(trace.setSpan(from, span), work);
    if (after) span.setAttributes({ ...after(result) });
    return result;
  } catch (error) {
    const { code, name: kindOfError } = Object(error) as { code?: unknown; name?: unknown };
    span.setAttribute('error.type', typeof code === 'string' ? code : String(kindOfError));
    span.setStatus({ code: SpanStatusCode.ERROR });
    throw error;
  } finally {
    span.end();
  }
}

/** Tells of something that is over, in the present's trace. */
export function recordSpan(name: string, facts: SpanFacts, from: Date, to: Date, failed: boolean): void {
  if (!on) return;
  const span = tracer().startSpan(name, { attributes: { ...facts }, startTime: from });
  if (failed) span.setStatus({ code: SpanStatusCode.ERROR });
  span.end(to);
}

/** What a line of a log says of the trace that it belongs to. */
export function traceOfLog(): { traceId?: string } {
  const present = context.active();
  return on && isRecorded(present) ? { traceId: trace.getSpanContext(present)?.traceId ?? '' } : {};
}
