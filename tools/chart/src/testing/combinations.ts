import type { Values } from './helm.ts';

const servers = (secret: string) => ({ database: { secret }, redis: { secret } });

/** The least that an installation needs. */
export const least: Values = {
  images: {
    kiln: { repository: 'registry.example.com/kiln' },
    builder: { repository: 'registry.example.com/kiln-builder' },
  },
  secrets: {
    sealingKey: { secret: 'kiln-sealing' },
    owner: { database: { secret: 'kiln-owner' } },
    api: servers('kiln-api'),
    registrar: servers('kiln-registrar'),
    builder: servers('kiln-builder'),
  },
  builders: { pools: { common: {} } },
};

const isMap = (value: unknown): value is Values => typeof value === 'object' && value !== null && !Array.isArray(value);

/** Values with some of them changed. */
export const changed = (values: Values, by: Values): Values => ({
  ...values,
  ...Object.fromEntries(
    Object.entries(by).map(([key, value]) => {
      const old = values[key];
      return [key, isMap(value) && isMap(old) ? changed(old, value) : value];
    }),
  ),
});

const pools = (all: Values): Values => ({ builders: { pools: { common: null, ...all } } });
const gpu: Values = { platform: { document: { pools: { gpu: {} } } } };
const keda = (more: Values = {}): Values => ({ autoscaling: { keda: { enabled: true, ...more } } });
const postgresql: Values = { scaling: { postgresql: { host: 'postgres.data', password: { secret: 'kiln-scaler' } } } };
const digest = `sha256:${'a'.repeat(64)}`;
const off = { enabled: false };

/** Installations that the chart is made for, by what is special about them. */
export const combinations: Record<string, Values> = {
  least: {},
  'no Redis': {
    queue: 'postgres',
    networkPolicy: { enabled: true },
    secrets: Object.fromEntries(['api', 'registrar', 'builder'].map((it) => [it, { redis: { secret: '' } }])),
  },
  'two pools': changed(gpu, pools({ common: {}, gpu: { pool: 'gpu', slots: 1, drainSeconds: 3600, replicas: 3 } })),
  'builders in user namespaces': pools({ trusted: { profile: 'userNamespace', runtimeClassName: 'crun' } }),
  'both profiles': changed(gpu, pools({ a: {}, b: { pool: 'gpu', profile: 'userNamespace' } })),
  'pools placed on machines': pools({
    placed: {
      nodeSelector: { pool: 'builders' },
      tolerations: [{ key: 'dedicated', operator: 'Exists', effect: 'NoSchedule' }],
      affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [] } } },
      topologySpreadConstraints: [{ maxSkew: 1, topologyKey: 'rack', whenUnsatisfiable: 'DoNotSchedule' }],
      resources: { requests: { cpu: 4, memory: '16Gi' }, limits: { memory: '16Gi' } },
      podAnnotations: { 'cluster-autoscaler.kubernetes.io/safe-to-evict': 'false' },
      cache: { size: '500Gi', storageClassName: 'fast', whenScaled: 'Delete' },
      updateStrategy: 'OnDelete',
    },
  }),
  'KEDA asks PostgreSQL': changed(postgresql, pools({ common: keda({ age: { enabled: true } }) })),
  'KEDA asks Prometheus': changed(
    { scaling: { prometheus: { serverAddress: 'http://prometheus.monitoring:9090' } } },
    pools({ common: keda({ source: 'prometheus', age: { enabled: true } }) }),
  ),
  'KEDA asks registrars': pools({ common: keda({ source: 'metrics-api', age: { enabled: true } }) }),
  'KEDA for every pool': changed(
    changed(gpu, postgresql),
    changed(pools({ common: {}, gpu: { pool: 'gpu', slots: 4 } }), { builders: { defaults: keda() } }),
  ),
  HorizontalPodAutoscalers: changed(
    { api: { autoscaling: { enabled: true } } },
    pools({ common: { autoscaling: { minReplicas: 1, hpa: { enabled: true } } } }),
  ),
  'a volume for contexts': { contexts: { store: 'volume', volume: { storageClassName: 'nfs' } } },
  'a volume that exists': { contexts: { store: 'volume', volume: { existingClaim: 'contexts' } } },
  'a bucket for contexts': {
    contexts: {
      store: 'bucket',
      bucket: { name: 'kiln/contexts', endpoint: 'https://minio.data:9000#main', credentials: { secret: 'bucket' } },
    },
  },
  'a bucket by a role': {
    contexts: { store: 'bucket', bucket: { name: 'kiln' } },
    api: { serviceAccount: { annotations: { 'eks.amazonaws.com/role-arn': 'arn:aws:iam::1:role/kiln' } } },
  },
  'an ingress': {
    api: {
      ingress: {
        enabled: true,
        className: 'nginx',
        hosts: ['kiln.example.com'],
        tls: [{ hosts: ['kiln.example.com'], secretName: 'tls' }],
      },
      settings: { KILN_TRUSTED_PROXIES: '10.0.0.0/8' },
    },
  },
  'everything that is watched': {
    metrics: {
      podMonitor: { enabled: true, labels: { release: 'prometheus' } },
      prometheusRule: { enabled: true },
      dashboard: { enabled: true, annotations: { folder: 'Kiln' } },
    },
    settings: { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector.tracing:4318', OTEL_TRACES_SAMPLER_ARG: 0.1 },
    secrets: { otlpHeaders: { secret: 'collector' } },
  },
  'all secrets': {
    scaling: { postgresql: { password: { secret: 'kiln-scaler' } } },
    secrets: { passwords: { secret: 'kiln-passwords' }, sealingKeysOld: { secret: 'kiln-sealing-old' } },
    trustedCa: { configMap: 'company-ca' },
  },
  'platform and profiles': {
    platform: { document: { resources: { default: { CPU: '2', Memory: '4Gi' } }, strictClasses: true } },
    profiles: { files: { 'ours.json': '{"name": "ours"}' } },
  },
  'platform and profiles that exist': changed(
    { platform: { existingConfigMap: 'platform' }, profiles: { existingConfigMap: 'profiles' } },
    pools({ team: { pool: 'team-a' } }),
  ),
  'images by digest': {
    images: { kiln: { digest }, builder: { digest } },
    imagePullSecrets: [{ name: 'pull' }],
    api: { image: { tag: '0.2.0' } },
    registrar: { image: { digest } },
    commonLabels: { team: 'ml' },
    priorityClassName: 'platform',
  },
  'large numbers and other settings': {
    api: { settings: { KILN_LOG_LEVEL: 'debug' } },
    registrar: {
      settings: { KILN_TAG_CHECK_S: 0 },
      extraEnv: [{ name: 'NODE_OPTIONS', value: '--max-old-space-size=2048' }],
    },
    builders: { pools: { common: { settings: { KILN_LAYER_CACHE_BYTES: 21474836480, KILN_STAGING_TAG: true } } } },
  },
  'builders alone': { api: off, registrar: off, migrate: off, admin: off },
  'no builders': { builders: { pools: { common: null } } },
  'networks that are closed further': {
    networkPolicy: {
      apiFrom: [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'ingress-nginx' } } }],
      metricsFrom: [],
      internet: [],
      postgresql: { to: [{ podSelector: { matchLabels: { app: 'postgres' } } }] },
      extraEgress: { builder: [{ to: [{ ipBlock: { cidr: '10.1.0.0/16' } }], ports: [{ port: 5000 }] }] },
    },
  },
  'names of its own': { fullnameOverride: 'images', nameOverride: 'builds', listenAddress: '::', tests: off },
};

export const valuesOf = (name: string): Values => changed(least, combinations[name] ?? {});
