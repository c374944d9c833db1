import { changed, valuesOf } from './testing/combinations.ts';
import { render, type Rendered } from './testing/helm.ts';
import { violations } from './testing/kubernetes-schemas.ts';
import { type Container, podsOf, type Pods } from './testing/pods.ts';
import { rules } from './testing/rules.ts';

// Each rule is shown to fail: on objects that break it and nothing else.

let objects: Rendered[];
beforeAll(async () => {
  const policy = { networkPolicy: { apiFrom: [{ podSelector: {} }] } };
  objects = await render(
    changed(changed(valuesOf('both profiles'), policy), { api: { autoscaling: { enabled: true } } }),
  );
});

const of = (copy: readonly Rendered[], kind: string, name: string): Rendered => {
  const found = copy.find((it) => it.kind === kind && it.metadata.name === name);
  if (!found) throw new Error(`there is no ${kind} ${name}`);
  return found;
};
const pods = (copy: readonly Rendered[], kind: string, name: string): Pods => podsOf([of(copy, kind, name)])[0] as Pods;
const container = (copy: readonly Rendered[], kind: string, name: string): Container =>
  pods(copy, kind, name).spec.containers[0] as Container;
const setEnv = ({ env = [] }: Container, name: string, value: string): void => {
  const found = env.find((it) => it.name === name);
  if (found) found.value = value;
  else env.push({ name, value });
};
const privileged = 'kiln-builder-a';
const unprivileged = 'kiln-builder-b';
const remove = (copy: Rendered[], kind: string, name: string): void =>
  void copy.splice(copy.indexOf(of(copy, kind, name)), 1);

/** For each rule, changes that break it. */
const breaks: Record<keyof typeof rules, ((copy: Rendered[]) => void)[]> = {
  'all but builders keep to the restricted pod security standard': [
    (copy) => void (container(copy, 'Deployment', 'kiln-api').securityContext = {}),
    (copy) => void (pods(copy, 'Deployment', 'kiln-registrar').spec.securityContext = { runAsUser: 0 }),
    (copy) => void (container(copy, 'Job', 'kiln-migrate').securityContext ??= {}).capabilities?.drop?.pop(),
    (copy) => void (pods(copy, 'Pod', 'kiln-test-ready').spec.volumes = [{ name: 'x', hostPath: { path: '/' } }]),
  ],
  'all but builders and their probes have a read-only root file system': [
    (copy) => delete container(copy, 'Deployment', 'kiln-api').securityContext?.['readOnlyRootFilesystem'],
  ],
  'a builder that is not privileged has a user namespace of its own, and nothing of the machine': [
    (copy) => void (pods(copy, 'StatefulSet', unprivileged).spec.hostUsers = true),
    (copy) =>
      void pods(copy, 'StatefulSet', unprivileged).spec.volumes?.push({ name: 'x', hostPath: { path: '/dev' } }),
  ],
  'of the machine, privileged builders have /dev and /run/kiln-rooms': [
    (copy) => void pods(copy, 'StatefulSet', privileged).spec.volumes?.push({ name: 'x', hostPath: { path: '/' } }),
    (copy) => void pods(copy, 'StatefulSet', privileged).spec.volumes?.pop(),
  ],
  'privileged builders run on machines with the taint kiln.builders': [
    (copy) => delete pods(copy, 'StatefulSet', privileged).spec.tolerations,
  ],
  'builders that do not enforce everything take builds of trusted tenants': [
    (copy) => setEnv(container(copy, 'StatefulSet', unprivileged), 'KILN_BUILDER_TENANTS', 'untrusted'),
    (copy) => setEnv(container(copy, 'StatefulSet', privileged), 'KILN_BUILDER_TENANTS', 'trusted'),
  ],
  'no pod has a token of the cluster': [
    (copy) => delete pods(copy, 'Job', 'kiln-migrate').spec.automountServiceAccountToken,
  ],
  'no pod gets settings by the names of services': [
    (copy) => delete pods(copy, 'Deployment', 'kiln-admin').spec.enableServiceLinks,
  ],
  'no secret is the value of an environment variable': [
    (copy) => setEnv(container(copy, 'Deployment', 'kiln-api'), 'KILN_SEALING_KEY', 'c2VjcmV0'),
    (copy) => setEnv(container(copy, 'Deployment', 'kiln-api'), 'KILN_SEALING_KEYS_OLD', 'c2VjcmV0'),
    (copy) => setEnv(container(copy, 'Job', 'kiln-migrate'), 'KILN_API_PASSWORD', 'x'),
    (copy) => setEnv(container(copy, 'StatefulSet', privileged), 'OTHER', 'postgres://kiln:secret@postgres/kiln'),
  ],
  'every app gets only settings that it reads': [
    (copy) => setEnv(container(copy, 'Deployment', 'kiln-registrar'), 'KILN_DRAIN_MS', '10000'),
    (copy) => setEnv(container(copy, 'Deployment', 'kiln-api'), 'KILN_NO_SUCH_SETTING_FILE', '/x'),
  ],
  'every image has a tag or a digest': [
    (copy) => void (container(copy, 'Deployment', 'kiln-api').image = 'localhost:5000/kiln'),
  ],
  'a builder may end as slowly as it drains, and a minute more': [
    (copy) => void (pods(copy, 'StatefulSet', privileged).spec.terminationGracePeriodSeconds = 30),
    (copy) => setEnv(container(copy, 'StatefulSet', unprivileged), 'KILN_DRAIN_MS', '10000'),
  ],
  'network policies select all pods but the one of helm test': [
    (copy) => remove(copy, 'NetworkPolicy', 'kiln-builder'),
    (copy) => remove(copy, 'NetworkPolicy', 'kiln-migrate'),
  ],
  'disruption budgets select all pods that serve': [
    (copy) => remove(copy, 'PodDisruptionBudget', 'kiln-registrar'),
    (copy) => void (pods(copy, 'StatefulSet', privileged).labels['kiln-pool'] = 'x'),
  ],
  'selectors of deployments and stateful sets select their own pods': [
    (copy) => void (pods(copy, 'StatefulSet', unprivileged).labels['kiln-pool'] = 'a'),
  ],
  'what scales a stateful set is alone in deciding its size': [
    (copy) => void ((of(copy, 'Deployment', 'kiln-api')['spec'] as { replicas?: number }).replicas = 2),
    (copy) => remove(copy, 'HorizontalPodAutoscaler', 'kiln-api'),
  ],
  'no two objects have the same name': [(copy) => void copy.push(of(copy, 'Service', 'kiln-api'))],
};

it('names a break for every rule', () => {
  expect(Object.keys(breaks)).toEqual(Object.keys(rules));
});

it.each(Object.entries(breaks))('fails where it has to: %s', (name, changes) => {
  const rule = rules[name] as (typeof rules)[string];
  expect(rule(objects)).toEqual([]);
  for (const change of changes) {
    const copy = structuredClone(objects);
    change(copy);
    expect(rule(copy)).not.toEqual([]);
  }
});

describe('the schemas of Kubernetes', () => {
  const brokenBy = (change: (spec: Record<string, unknown>) => void, kind = 'Deployment', name = 'kiln-api') => {
    const copy = structuredClone(of(objects, kind, name));
    change(copy['spec'] as Record<string, unknown>);
    return violations(copy);
  };

  it.each([
    [
      'a field that does not exist',
      (spec: Record<string, unknown>) => (spec['replica'] = 1),
      /\.spec\.replica is no field/,
    ],
    ['a wrong type', (spec: Record<string, unknown>) => (spec['replicas'] = 'two'), /replicas must be integer/],
    ['a missing field', (spec: Record<string, unknown>) => delete spec['selector'], /required property selector/],
  ])('refuse %s', (_what, change, message) => {
    expect(brokenBy(change).join()).toMatch(message);
  });

  it('refuse a field that does not exist deep in a list', () => {
    const copy = structuredClone(of(objects, 'StatefulSet', privileged));
    Object.assign(podsOf([copy])[0]?.spec.containers[0] ?? {}, { imagePolicy: 'Never' });
    expect(violations(copy).join()).toMatch(/containers\[0\]\.imagePolicy is no field/);
  });

  it('refuse a kind that the cluster does not have', () => {
    expect(violations({ ...of(objects, 'Deployment', 'kiln-api'), apiVersion: 'apps/v2' })).toHaveLength(1);
  });
});
