import { createServer } from 'node:http';
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import { z } from 'zod';
import { portSetting } from '../config.ts';
import type { Lifecycle } from '../lifecycle.ts';
import type { Logger } from './logger.ts';

const registry = new Registry();
const registers = [registry];
const secondsOfRequests = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
const secondsOfBuilds = [0.1, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1200, 1800, 3600];

/**
 * All that Kiln measures of itself, by the naming conventions of Prometheus. Labels have few values each: never an id,
 * an account, a name that users give.
 */
export const metrics = {
  requests: new Counter({
    name: 'kiln_http_requests_total',
    help: 'HTTP requests by response status; "aborted" if the client disconnected before the response.',
    labelNames: ['operation', 'status'],
    registers,
  }),
  requestSeconds: new Histogram({
    name: 'kiln_http_request_duration_seconds',
    help: 'Duration from a request to the end of its response, without streams.',
    labelNames: ['operation'],
    buckets: secondsOfRequests,
    registers,
  }),
  eventsUndispatchedSeconds: new Gauge({
    name: 'kiln_events_oldest_undispatched_seconds',
    help: 'Age of the oldest event without its webhook deliveries; reported by the registrars.',
    registers,
  }),
  eventReaders: new Gauge({
    name: 'kiln_event_readers',
    help: 'Clients that follow events of an account at this process.',
    registers,
  }),
  logReaders: new Gauge({ name: 'kiln_log_readers', help: 'Clients that follow a log at this process.', registers }),
  tagsAsked: new Counter({
    name: 'kiln_tags_asked_total',
    help: 'Questions to registries after tags of the catalogue, by whether they were answered.',
    labelNames: ['outcome'],
    registers,
  }),
  webhookTries: new Counter({
    name: 'kiln_webhook_tries_total',
    help: 'Attempts to deliver an event to a webhook, by result.',
    labelNames: ['outcome'],
    registers,
  }),
  webhookDeliveriesWaiting: new Gauge({
    name: 'kiln_webhook_deliveries_waiting',
    help: 'Pending webhook deliveries; reported by the registrars.',
    registers,
  }),
  webhookOldestSeconds: new Gauge({
    name: 'kiln_webhook_oldest_due_seconds',
    help: 'Time since the oldest due webhook delivery became due; reported by the registrars.',
    registers,
  }),
  buildsEnded: new Counter({
    name: 'kiln_builds_ended_total',
    help: 'Builds that this process ended, by state and error class.',
    labelNames: ['state', 'class'],
    registers,
  }),
  attemptsInterrupted: new Counter({
    name: 'kiln_attempts_interrupted_total',
    help: 'Attempts that failed for a reason outside of their build.',
    labelNames: ['why'],
    registers,
  }),
  phaseSeconds: new Histogram({
    name: 'kiln_build_phase_duration_seconds',
    help: 'Duration of the phases of attempts.',
    labelNames: ['phase', 'result'],
    buckets: secondsOfBuilds,
    registers,
  }),
  steps: new Counter({
    name: 'kiln_build_steps_total',
    help: 'Steps of builds by result; "cached" if the step came from the cache of the account.',
    labelNames: ['result'],
    registers,
  }),
  rooms: new Gauge({
    name: 'kiln_engine_rooms',
    help: 'Engines that run: "busy" with a build, "warm" without one.',
    labelNames: ['state'],
    registers,
  }),
  roomStarts: new Counter({
    name: 'kiln_engine_room_uses_total',
    help: 'Builds by their engine: "warm" if it ran already, "cold" if it was started for the build.',
    labelNames: ['room'],
    registers,
  }),
  storesLost: new Counter({
    name: 'kiln_engine_stores_lost_total',
    help: 'Caches of accounts that were deleted because the engine could not start with them.',
    registers,
  }),
  cacheBytes: new Gauge({
    name: 'kiln_engine_cache_bytes',
    help: 'Disk space of the caches of all accounts on this builder.',
    registers,
  }),
  baseBytes: new Counter({
    name: 'kiln_base_layer_bytes_total',
    help: 'Bytes of layers of bases that engines read: from this builder\'s "disk", or from a "registry".',
    labelNames: ['from'],
    registers,
  }),
  cacheExports: new Counter({
    name: 'kiln_cache_exports_total',
    help: 'Builds whose layers were kept in their registry for other builders, by result.',
    labelNames: ['result'],
    registers,
  }),
  leasesLost: new Counter({
    name: 'kiln_leases_lost_total',
    help: 'Leases that were not renewed in time.',
    registers,
  }),
  reconciled: new Counter({
    name: 'kiln_reconciler_actions_total',
    help: 'Actions of the sweeper.',
    labelNames: ['action'],
    registers,
  }),
  registryRequests: new Counter({
    name: 'kiln_registry_requests_total',
    help: 'Requests to registries; status "none" without a response, host "other" for hosts without a connection.',
    labelNames: ['host', 'method', 'status'],
    registers,
  }),
  registryBytes: new Counter({
    name: 'kiln_registry_bytes_total',
    help: 'Bytes of layers that builds pulled and pushed.',
    registers,
  }),
  logBytes: new Counter({ name: 'kiln_log_bytes_total', help: 'Bytes written to build logs.', registers }),
  databaseConnections: new Gauge({
    name: 'kiln_database_connections',
    help: 'Connections of the PostgreSQL pools, and statements that wait for one.',
    labelNames: ['pool', 'state'],
    registers,
  }),
  buildsWaiting: new Gauge({
    name: 'kiln_builds_waiting',
    help: 'Pending builds. Every registrar reports the same value: take the maximum.',
    labelNames: ['pool', 'lane'],
    registers,
  }),
  oldestWaitingSeconds: new Gauge({
    name: 'kiln_builds_oldest_waiting_seconds',
    help: 'Age of the oldest pending build. Every registrar reports the same value.',
    labelNames: ['pool', 'lane'],
    registers,
  }),
  scalingSlots: new Gauge({
    name: 'kiln_scaling_wanted_slots',
    help: 'Slots that a pool could use now: builds under way, and pending ones within the limits of their accounts.',
    labelNames: ['pool'],
    registers,
  }),
  scalingSeconds: new Gauge({
    name: 'kiln_scaling_oldest_waiting_seconds',
    help: 'Age of the oldest pending build of a pool that its account may run now.',
    labelNames: ['pool'],
    registers,
  }),
  slots: new Gauge({
    name: 'kiln_builder_slots',
    help: 'Slots of the connected builders. Every registrar reports the same value.',
    labelNames: ['pool'],
    registers,
  }),
  slotsBusy: new Gauge({
    name: 'kiln_builder_slots_busy',
    help: 'Builds that occupy a slot or were admitted. Every registrar reports the same value.',
    labelNames: ['pool'],
    registers,
  }),
  quarantined: new Gauge({
    name: 'kiln_builds_quarantined',
    help: 'Builds in quarantine that were not run again. Every registrar reports the same value.',
    registers,
  }),
  outboxOldestSeconds: new Gauge({
    name: 'kiln_outbox_oldest_seconds',
    help: 'Age of the oldest outbox row. Every registrar reports the same value.',
    registers,
  }),
} as const;

/** Hosts that have a label of their own; those that come later share one. */
const hostsMax = 50;
const hosts = new Set<string>();
const telling = new Set([401, 403, 404, 429]);

/**
 * Counts a request to a registry.
 * @param host of a registry that an operator connected; undefined for any other, which a Dockerfile may name as it
 * likes
 * @param status undefined where there was no answer
 */
export function countRegistryRequest(host: string | undefined, method: string, status: number | undefined): void {
  if (host !== undefined && hosts.size < hostsMax) hosts.add(host);
  const label = host !== undefined && hosts.has(host) ? host : 'other';
  // Which numbers there are is for the registry to choose: of most, the class will do.
  const said = status === undefined ? 'none' : telling.has(status) ? String(status) : `${Math.floor(status / 100)}xx`;
  metrics.registryRequests.inc({ host: label, method, status: said });
}

type Measure = () => void | Promise<void>;
const measures = new Set<Measure>();

/** Has gauges set whenever somebody asks for the metrics. What fails is left as it was. */
export const measureOnDemand = (measure: Measure): void => void measures.add(measure);

/** All metrics as text. */
async function readMetrics(): Promise<string> {
  await Promise.all([...measures].map((it) => Promise.resolve(it()).catch(() => undefined)));
  return registry.metrics();
}

export const metricsSettings = {
  /** Where this process tells its metrics, at /metrics; nowhere when left out. */
  KILN_METRICS_PORT: portSetting.optional(),
  KILN_METRICS_HOST: z.string().default('127.0.0.1'),
};

/** Serves the metrics of this process, with Node's own beside Kiln's, where a port was given. */
export function serveMetrics(
  config: { KILN_METRICS_PORT?: number | undefined; KILN_METRICS_HOST: string },
  { app, life, log }: { app: string; life: Lifecycle; log: Logger },
): void {
  if (config.KILN_METRICS_PORT === undefined) return;
  registry.setDefaultLabels({ app });
  collectDefaultMetrics({ register: registry });
  const server = createServer((req, res) => {
    if (req.url !== '/metrics') return void res.writeHead(404).end();
    readMetrics().then(
      (text) => res.writeHead(200, { 'content-type': registry.contentType }).end(text),
      () => res.writeHead(500).end(),
    );
  });
  server.listen(config.KILN_METRICS_PORT, config.KILN_METRICS_HOST, () =>
    log.info({ address: server.address() }, 'metrics'),
  );
  life.defer('metrics', () => {
    server.closeAllConnections();
    server.close();
  });
}
