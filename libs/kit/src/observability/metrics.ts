import { createServer } from 'node:http';
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import { z } from 'zod';
import { portSetting } from '../config.ts';
import { type Lifecycle } from '../lifecycle.ts';
import { type Logger } from './logger.ts';

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
    help: 'Requests, by the status of their answer; "aborted" where the client went before it.',
    labelNames: ['operation', 'status'],
    registers,
  }),
  requestSeconds: new Histogram({
    name: 'kiln_http_request_duration_seconds',
    help: 'Time from a request to the end of its answer; answers that are followed are left out.',
    labelNames: ['operation'],
    buckets: secondsOfRequests,
    registers,
  }),
  eventsUntoldSeconds: new Gauge({
    name: 'kiln_events_oldest_untold_seconds',
    help: 'Age of the oldest event that was not looked at yet for webhooks; told by registrars.',
    registers,
  }),
  eventReaders: new Gauge({
    name: 'kiln_event_readers',
    help: "Readers that follow an account's events at this process.",
    registers,
  }),
  logReaders: new Gauge({ name: 'kiln_log_readers', help: 'Readers that follow a log of this process.', registers }),
  webhookTries: new Counter({
    name: 'kiln_webhook_tries_total',
    help: 'Tries to deliver an event to a webhook, by what came of them.',
    labelNames: ['outcome'],
    registers,
  }),
  webhookDeliveriesWaiting: new Gauge({
    name: 'kiln_webhook_deliveries_waiting',
    help: 'Deliveries to webhooks that are still to be made; told by registrars.',
    registers,
  }),
  webhookOldestSeconds: new Gauge({
    name: 'kiln_webhook_oldest_due_seconds',
    help: 'For how long the delivery that is due and waited longest has been due; told by registrars.',
    registers,
  }),
  buildsEnded: new Counter({
    name: 'kiln_builds_ended_total',
    help: 'Builds that this process ended, by state and by the class of their error.',
    labelNames: ['state', 'class'],
    registers,
  }),
  attemptsInterrupted: new Counter({
    name: 'kiln_attempts_interrupted_total',
    help: 'Attempts that ended by no fault of their build.',
    labelNames: ['why'],
    registers,
  }),
  phaseSeconds: new Histogram({
    name: 'kiln_build_phase_duration_seconds',
    help: 'Time that the phases of attempts took.',
    labelNames: ['phase', 'result'],
    buckets: secondsOfBuilds,
    registers,
  }),
  leasesLost: new Counter({
    name: 'kiln_leases_lost_total',
    help: 'Leases that could not be renewed in time.',
    registers,
  }),
  reconciled: new Counter({
    name: 'kiln_reconciler_actions_total',
    help: 'What the sweeper did for work that nobody else did.',
    labelNames: ['action'],
    registers,
  }),
  registryRequests: new Counter({
    name: 'kiln_registry_requests_total',
    help: 'Requests to registries; "none" where there was no answer. Hosts that no connection names are "other".',
    labelNames: ['host', 'method', 'status'],
    registers,
  }),
  registryBytes: new Counter({
    name: 'kiln_registry_bytes_total',
    help: 'Bytes of layers that builds moved from and to registries.',
    registers,
  }),
  logBytes: new Counter({ name: 'kiln_log_bytes_total', help: 'Bytes of logs that builds wrote.', registers }),
  databaseConnections: new Gauge({
    name: 'kiln_database_connections',
    help: 'Connections of the pools to PostgreSQL, and statements that wait for one.',
    labelNames: ['pool', 'state'],
    registers,
  }),
  buildsWaiting: new Gauge({
    name: 'kiln_builds_waiting',
    help: 'Builds that wait. Every registrar tells the same: take the maximum.',
    labelNames: ['pool', 'lane'],
    registers,
  }),
  oldestWaitingSeconds: new Gauge({
    name: 'kiln_builds_oldest_waiting_seconds',
    help: 'How long the oldest waiting build has waited. Every registrar tells the same.',
    labelNames: ['pool', 'lane'],
    registers,
  }),
  slots: new Gauge({
    name: 'kiln_builder_slots',
    help: 'Slots of the builders that are there. Every registrar tells the same.',
    labelNames: ['pool'],
    registers,
  }),
  slotsBusy: new Gauge({
    name: 'kiln_builder_slots_busy',
    help: 'Builds that are on a builder, or on their way to one. Every registrar tells the same.',
    labelNames: ['pool'],
    registers,
  }),
  quarantined: new Gauge({
    name: 'kiln_builds_quarantined',
    help: 'Builds in quarantine that nobody has run again. Every registrar tells the same.',
    registers,
  }),
  outboxOldestSeconds: new Gauge({
    name: 'kiln_outbox_oldest_seconds',
    help: 'How long the oldest announcement has waited for Redis. Every registrar tells the same.',
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
