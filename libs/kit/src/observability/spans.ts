import {
  type Context,
  context,
  isSpanContextValid,
  propagation,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  TraceFlags,
} from '@opentelemetry/api';

/**
 * All that a span may say: ids, names of Kiln's own, figures. Nothing that a user has written is among it, so that no
 * secret can be.
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
export const startTracing = (): void => {
  on = true;
};

const tracer = () => trace.getTracer('kiln');

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
