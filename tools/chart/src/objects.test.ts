import { changed, least, valuesOf } from './testing/combinations.ts';
import { render, type Rendered, type Values } from './testing/helm.ts';
import { type Container, podsOf } from './testing/pods.ts';

const find = (objects: readonly Rendered[], kind: string, name: string): Rendered => {
  const found = objects.find((it) => it.kind === kind && it.metadata.name === name);
  if (!found) throw new Error(`there is no ${kind} ${name} among ${objects.map((it) => it.metadata.name).join(', ')}`);
  return found;
};
const specOf = (objects: readonly Rendered[], kind: string, name: string) =>
  find(objects, kind, name)['spec'] as Record<string, unknown>;
const containerOf = (object: Rendered): Container => podsOf([object])[0]?.spec.containers[0] as Container;
const envOf = (object: Rendered): Record<string, string | undefined> =>
  Object.fromEntries((containerOf(object).env ?? []).map((it) => [it.name, it.value]));

interface Trigger {
  type: string;
  metricType: string;
  authenticationRef?: { name: string };
  metadata: Record<string, string>;
}
const triggersOf = async (combination: string): Promise<Trigger[]> => {
  const { triggers } = specOf(await render(valuesOf(combination)), 'ScaledObject', 'kiln-builder-common');
  return triggers as Trigger[];
};

describe('KEDA', () => {
  it('asks PostgreSQL for the slots that are wanted and for the age, with a password from a secret', async () => {
    const objects = await render(valuesOf('KEDA asks PostgreSQL'));
    const spec = specOf(objects, 'ScaledObject', 'kiln-builder-common');
    expect(spec).toMatchObject({ minReplicaCount: 0, pollingInterval: 15, fallback: { behavior: 'currentReplicas' } });
    const [slots, age] = spec['triggers'] as Trigger[];
    expect(slots).toMatchObject({
      type: 'postgresql',
      metricType: 'AverageValue',
      authenticationRef: { name: 'kiln-scaler' },
      metadata: {
        query: "SELECT coalesce(max(wanted_slots), 0) FROM kiln_scaling WHERE pool = ''",
        targetQueryValue: '2',
        userName: 'kiln_scaler',
      },
    });
    expect(age).toMatchObject({
      metricType: 'Value',
      metadata: { query: "SELECT coalesce(max(oldest_waiting_s), 0) FROM kiln_scaling WHERE pool = ''" },
    });
    expect(specOf(objects, 'TriggerAuthentication', 'kiln-scaler')).toEqual({
      secretTargetRef: [{ parameter: 'password', name: 'kiln-scaler', key: 'password' }],
    });
  });

  it('asks for each pool by its own name and slots', async () => {
    const objects = await render(valuesOf('KEDA for every pool'));
    const [slots] = specOf(objects, 'ScaledObject', 'kiln-builder-gpu')['triggers'] as Trigger[];
    expect(slots?.metadata).toMatchObject({ targetQueryValue: '4' });
    expect(slots?.metadata['query']).toMatch(/pool = 'gpu'$/);
  });

  it('reads the gauges of the registrars, from Prometheus or from themselves', async () => {
    const [slots, age] = await triggersOf('KEDA asks Prometheus');
    expect(slots?.metadata).toMatchObject({
      query: 'max(kiln_scaling_wanted_slots{pool=""}) or vector(0)',
      threshold: '2',
    });
    expect(age?.metadata['query']).toBe('max(kiln_scaling_oldest_waiting_seconds{pool=""}) or vector(0)');
    const [direct] = await triggersOf('KEDA asks registrars');
    expect(direct).toMatchObject({
      type: 'metrics-api',
      metadata: {
        url: 'http://kiln-registrar-metrics.builds.svc:9464/metrics',
        format: 'prometheus',
        valueLocation: 'kiln_scaling_wanted_slots{pool=""}',
      },
    });
  });

  it('takes builders away slowly', async () => {
    const objects = await render(valuesOf('KEDA asks PostgreSQL'));
    const { advanced } = specOf(objects, 'ScaledObject', 'kiln-builder-common') as {
      advanced: { horizontalPodAutoscalerConfig: { behavior: unknown } };
    };
    expect(advanced.horizontalPodAutoscalerConfig.behavior).toMatchObject({
      scaleDown: { stabilizationWindowSeconds: 900, policies: [{ type: 'Pods', value: 1, periodSeconds: 300 }] },
    });
  });
});

describe('a pool of builders', () => {
  it('has what its values say, and else what builders.defaults says, also where that is false or 0', async () => {
    const defaults = { autoscaling: { keda: { enabled: true } }, replicas: 5, settings: { KILN_WARM_ROOMS: 1 } };
    const one = { autoscaling: { keda: { enabled: false } }, replicas: 0, settings: { KILN_STAGING_TAG: false } };
    const objects = await render(changed(least, { builders: { defaults, pools: { common: one } } }));
    const set = find(objects, 'StatefulSet', 'kiln-builder-common');
    expect(set['spec']).toMatchObject({ replicas: 0 });
    expect(envOf(set)).toMatchObject({ KILN_WARM_ROOMS: '1', KILN_STAGING_TAG: 'false' });
  });

  it('drains as long as drainSeconds says', async () => {
    const set = find(await render(valuesOf('two pools')), 'StatefulSet', 'kiln-builder-gpu');
    expect(envOf(set)).toMatchObject({ KILN_DRAIN_MS: '3600000', KILN_BUILDER_POOL: 'gpu', KILN_BUILDER_SLOTS: '1' });
    expect(podsOf([set])[0]?.spec.terminationGracePeriodSeconds).toBe(3660);
    expect(set['spec']).toMatchObject({ podManagementPolicy: 'Parallel', replicas: 3 });
  });

  it('has a user namespace of its own in that profile, and is not privileged', async () => {
    const set = find(await render(valuesOf('both profiles')), 'StatefulSet', 'kiln-builder-b');
    expect(podsOf([set])[0]?.spec.hostUsers).toBe(false);
    expect(containerOf(set).securityContext).toMatchObject({ privileged: false, procMount: 'Unmasked' });
    expect(containerOf(set).securityContext?.capabilities?.add).toEqual(
      expect.arrayContaining(['SYS_ADMIN', 'SETFCAP']),
    );
  });
});

describe('settings', () => {
  it('keep large numbers as they are', async () => {
    const objects = await render(valuesOf('large numbers and other settings'));
    expect(envOf(find(objects, 'StatefulSet', 'kiln-builder-common'))['KILN_LAYER_CACHE_BYTES']).toBe('21474836480');
    expect(envOf(find(objects, 'Deployment', 'kiln-registrar'))['KILN_TAG_CHECK_S']).toBe('0');
  });

  it('name files of secrets that are mounted where they say', async () => {
    for (const object of await render(valuesOf('all secrets')).then((all) => all.filter((it) => it.kind !== 'Pod')))
      for (const { spec } of podsOf([object])) {
        const [mount] = spec.containers.flatMap(
          (it) => it.volumeMounts?.filter(({ name }) => name === 'secrets') ?? [],
        );
        const volume = spec.volumes?.find((it) => it.name === 'secrets') as unknown as {
          projected: { sources: { secret: { items: { path: string }[] } }[] };
        };
        const there = volume.projected.sources.flatMap((it) =>
          it.secret.items.map(({ path }) => `${mount?.mountPath}/${path}`),
        );
        const named = Object.entries(envOf(object)).flatMap(([key, value]) =>
          /^KILN_.*_FILE$/.test(key) ? [value] : [],
        );
        expect(named.length).toBeGreaterThan(2);
        expect([...named].sort()).toEqual([...there].sort());
      }
  });

  it('have the passwords of the apps’ users in the migration alone', async () => {
    const objects = await render(valuesOf('all secrets'));
    const having = objects.filter((it) => podsOf([it]).length > 0 && 'KILN_API_PASSWORD_FILE' in envOf(it));
    expect(having.map((it) => it.metadata.name)).toEqual(['kiln-migrate']);
  });
});

describe('images', () => {
  const imagesOf = async (values: Values) =>
    Object.fromEntries(
      (await render(values)).flatMap((it) => podsOf([it]).map(() => [it.metadata.name, containerOf(it).image])),
    );

  it('are of the version of the chart, or of the tag or digest that values name', async () => {
    expect(await imagesOf(least)).toMatchObject({ 'kiln-api': 'registry.example.com/kiln:0.1.0' });
    const digest = `sha256:${'a'.repeat(64)}`;
    expect(await imagesOf(valuesOf('images by digest'))).toMatchObject({
      'kiln-api': 'registry.example.com/kiln:0.2.0',
      'kiln-registrar': `registry.example.com/kiln@${digest}`,
      'kiln-builder-common': `registry.example.com/kiln-builder@${digest}`,
    });
  });
});

describe('network policies', () => {
  it('let builders reach the internet without private addresses, and nobody in but readers of metrics', async () => {
    const spec = specOf(await render(least), 'NetworkPolicy', 'kiln-builder');
    const { ingress, egress } = spec as {
      ingress: { ports: { port: number }[]; from?: unknown[] }[];
      egress: unknown[];
    };
    expect(ingress.map((it) => [it.ports.map(({ port }) => port), it.from?.length])).toEqual([[[9464], 1]]);
    expect(JSON.stringify(egress)).toContain('"except":["10.0.0.0/8","100.64.0.0/10","169.254.0.0/16"');
  });

  it('close the metrics port to all where nobody may read it', async () => {
    const objects = await render(valuesOf('networks that are closed further'));
    expect(specOf(objects, 'NetworkPolicy', 'kiln-registrar')['ingress']).toBeUndefined();
  });
});

it('names Redis nowhere where the queue is in PostgreSQL', async () => {
  const text = JSON.stringify(await render(valuesOf('no Redis')));
  expect(text).toContain('{"name":"KILN_QUEUE","value":"postgres"}');
  expect(text.toLowerCase()).not.toContain('redis');
  expect(text).not.toContain('6379');
});
