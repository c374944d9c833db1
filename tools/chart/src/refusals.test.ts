import { changed, least } from './testing/combinations.ts';
import { refusal, type Values } from './testing/helm.ts';
import { fieldsOf, objectsIn, readSchema } from './testing/values-schema.ts';

const pool = (values: Values): Values => ({ builders: { pools: { common: values } } });
const keda = (more: Values = {}) => pool({ autoscaling: { keda: { enabled: true, ...more } } });

const refused: [string, Values, RegExp][] = [
  ['no image', { images: { kiln: { repository: '' } } }, /images\.kiln\.repository is empty: push/],
  ['no image of builders', { images: { builder: { repository: '' } } }, /images\.builder\.repository is empty: push/],
  [
    'no sealing key',
    { secrets: { sealingKey: { secret: '' } } },
    /secrets\.sealingKey\.secret is empty: name a secret/,
  ],
  [
    'no database of the owner',
    { secrets: { owner: { database: { secret: '' } } } },
    /secrets\.owner\.database\.secret/,
  ],
  ['no Redis of the api', { secrets: { api: { redis: { secret: '' } } } }, /secrets\.api\.redis\.secret is empty/],
  ['a queue that is neither', { queue: 'rabbitmq' }, /queue/],
  ['the queue as a setting', { settings: { KILN_QUEUE: 'postgres' } }, /remove it there, and set queue/],
  ['no database of builders', { secrets: { builder: { database: { secret: '' } } } }, /secrets\.builder\.database/],
  ['a secret as a setting', { settings: { KILN_SEALING_KEY: 'x' } }, /remove it there, and set secrets\.sealingKey/],
  [
    'a secret in extraEnv',
    { api: { extraEnv: [{ name: 'KILN_REDIS_URL', value: 'x' }] } },
    /set secrets\.<app>\.redis/,
  ],
  ['a file of a setting', { settings: { KILN_PLATFORM_FILE: '/x' } }, /set platform\.document/],
  ['slots as a setting', pool({ settings: { KILN_BUILDER_SLOTS: 4 } }), /set builders\.pools\.<name>\.slots/],
  ['a drain as a setting of all', { settings: { KILN_DRAIN_MS: 1 } }, /set builders\.pools\.<name>\.drainSeconds/],
  ['two pools of one name', { builders: { pools: { other: {} } } }, /both builders of the common pool/],
  ['a pool that no request can name', { builders: { pools: { x: { pool: 'gpu' } } } }, /platform\.document\.pools/],
  [
    'two autoscalers',
    pool({ autoscaling: { minReplicas: 1, keda: { enabled: true }, hpa: { enabled: true } } }),
    /builders\.pools\.common\.autoscaling has keda and hpa enabled/,
  ],
  [
    'no builder by a HorizontalPodAutoscaler',
    pool({ autoscaling: { hpa: { enabled: true } } }),
    /set it to 1, or use keda/,
  ],
  [
    'more at least than at most',
    pool({ autoscaling: { minReplicas: 20, keda: { enabled: true } } }),
    /autoscaling\.minReplicas is greater than maxReplicas: raise/,
  ],
  ['the same of the api', { api: { autoscaling: { enabled: true, minReplicas: 9 } } }, /api\.autoscaling\.minReplicas/],
  ['KEDA without PostgreSQL', keda(), /scaling\.postgresql\.host is empty/],
  [
    'KEDA without a password',
    changed(keda(), { scaling: { postgresql: { host: 'x' } } }),
    /scaling\.postgresql\.password\.secret is empty/,
  ],
  ['KEDA without Prometheus', keda({ source: 'prometheus' }), /scaling\.prometheus\.serverAddress is empty/],
  [
    'KEDA without registrars',
    changed(keda({ source: 'metrics-api' }), { registrar: { enabled: false } }),
    /registrars that are not there; use postgresql or prometheus/,
  ],
  ['two platforms', { platform: { document: { most: {} }, existingConfigMap: 'x' } }, /remove one of them/],
  ['two sets of profiles', { profiles: { files: { 'a.json': '{}' }, existingConfigMap: 'x' } }, /remove one of them/],
  ['a bucket without a name', { contexts: { store: 'bucket' } }, /contexts\.bucket\.name is empty/],
  ['an ingress without hosts', { api: { ingress: { enabled: true } } }, /api\.ingress\.hosts is empty/],
  ['a long name', { fullnameOverride: 'a-name-that-is-too-long' }, /set fullnameOverride to one that is/],
  ['a profile that does not exist', pool({ profile: 'rootless' }), /builders\/pools\/common\/profile/],
  ['a tag in place of a digest', { images: { kiln: { digest: 'v1' } } }, /images\/kiln\/digest/],
  ['labels that Kiln selects by', { commonLabels: { 'app.kubernetes.io/name': 'x' } }, /invalid propertyName 'app/],
  ['a name of a pool that no object can have', { builders: { pools: { A_b: {} } } }, /invalid propertyName 'A_b'/],
  ['no builder that may be disturbed', pool({ podDisruptionBudget: { maxUnavailable: 0 } }), /maxUnavailable/],
];

it('takes what the refusals below are made of', async () => {
  expect(await refusal(least)).toBe('');
});

it.each(refused)('refuses %s', async (_what, values, message) => {
  expect(await refusal(changed(least, values))).toMatch(message);
});

describe('unknown values', () => {
  const schema = readSchema();
  const levels = objectsIn(schema, ['builders.pools.*']);

  it('are possible only in what is Kubernetes’ own, or the platform’s', () => {
    const open = levels.filter(({ node }) => (node.additionalProperties ?? true) === true).map((it) => it.path);
    expect(open.filter((it) => !/^(?:global|platform\.document\.\w+|.+\.affinity\.\w+)$/.test(it))).toEqual([]);
    expect(levels.length).toBeGreaterThan(60);
  });

  it('are refused by helm at every level at once', async () => {
    const values: Values = structuredClone(least);
    const closed = levels.filter(({ node }) => node.additionalProperties === false);
    for (const { path } of closed) {
      let at = values;
      for (const step of path === '' ? [] : path.replace('*', 'common').split('.')) at = (at[step] ??= {}) as Values;
      at['unknownValue'] = 1;
    }
    const said = await refusal(values);
    for (const { path } of closed) {
      const place = path === '' ? "''" : `'/${path.replace('*', 'common').replaceAll('.', '/')}'`;
      expect(said).toContain(`at ${place}: additional properties 'unknownValue' not allowed`);
    }
  });

  it('have types and words for all those that are known', () => {
    const fields = fieldsOf(schema);
    expect(fields.length).toBeGreaterThan(150);
    expect(fields.filter((it) => it.description === '' || it.type === '').map((it) => it.path)).toEqual([]);
  });
});
