import { hostname } from 'node:os';
import { type Context, context, propagation, ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { type Lifecycle } from './lifecycle.ts';

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
}

let on = false;
/** Whether spans go anywhere. */
export const isTracing = (): boolean => on;

const tracer = () => trace.getTracer('kiln');

/** Long enough for what is still to be sent, where the collector is there. */
const goodbyeMs = 2000;

/**
 * Sends spans by OTLP over HTTP, when `OTEL_EXPORTER_OTLP_ENDPOINT` says where to; the other settings of OpenTelemetry's exporter hold,
 * too. Without it nothing of this is even loaded. A trace begins with a request: what belongs to none is not recorded.
 */
export async function openTracing(app: string, life: Lifecycle): Promise<void> {
  const { env } = process;
  if (!env['OTEL_EXPORTER_OTLP_ENDPOINT'] && !env['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT']) return;
  const [sdk, { OTLPTraceExporter }, { resourceFromAttributes }] = await Promise.all([
    import('@opentelemetry/sdk-trace-node'),
    import('@opentelemetry/exporter-trace-otlp-http'),
    import('@opentelemetry/resources'),
  ]);
  const ratio = new sdk.TraceIdRatioBasedSampler(Number(env['OTEL_TRACES_SAMPLER_ARG'] ?? 1));
  const never = new sdk.AlwaysOffSampler();
  const provider = new sdk.NodeTracerProvider({
    resource: resourceFromAttributes({
      'service.name': env['OTEL_SERVICE_NAME'] ?? `kiln-${app}`,
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

const contextOf = (traceparent: string): Context => propagation.extract(ROOT_CONTEXT, { traceparent });

/** Where the present is in its trace, as W3C's `traceparent`, to go on from elsewhere; null where there is none. */
export function traceparent(): string | null {
  if (!on) return null;
  const carrier: { traceparent?: string } = {};
  propagation.inject(context.active(), carrier);
  return carrier.traceparent ?? null;
}

/** Does `work` where another process has said that it was. */
export const withTrace = <T>(parent: string | null | undefined, work: () => T): T =>
  on && parent ? context.with(contextOf(parent), work) : work();

export interface SpanOptions<T> {
  kind?: 'server' | 'client';
  /** Where it belongs when the present belongs nowhere: what another process has said. */
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
  const from = trace.getSpanContext(present) === undefined && parent ? contextOf(parent) : present;
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
    const { code, name: kindOfError } = error as { code?: unknown; name?: unknown };
    span.setAttribute('error.type', String(code ?? kindOfError));
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
  const present = on ? trace.getSpanContext(context.active()) : undefined;
  return present ? { traceId: present.traceId } : {};
}
