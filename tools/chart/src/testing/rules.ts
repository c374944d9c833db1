import type { Rendered } from './helm.ts';
import { componentOf, type Container, podsOf, type Pods, selects } from './pods.ts';
import { settingsOf } from './settings-of-apps.ts';

/** What every rendering of the chart keeps to. Each rule lists what breaks it. */
export type Rule = (objects: readonly Rendered[]) => string[];

const isBuilder = (pods: Pods): boolean => componentOf(pods) === 'builder';
const isPrivileged = ({ spec }: Pods): boolean => spec.containers.some((it) => it.securityContext?.privileged);

const eachContainer = (objects: readonly Rendered[], broken: (pods: Pods, container: Container) => boolean): string[] =>
  podsOf(objects).flatMap((pods) =>
    pods.spec.containers.filter((it) => broken(pods, it)).map((it) => `${pods.name}, ${it.name}`),
  );

const eachPods = (objects: readonly Rendered[], broken: (pods: Pods) => boolean): string[] =>
  podsOf(objects)
    .filter(broken)
    .map((it) => it.name);

/** What Kubernetes' Pod Security Standard "restricted" asks for. */
const isRestricted = ({ spec }: Pods, { securityContext: own = {} }: Container): boolean =>
  spec.securityContext?.['runAsNonRoot'] === true &&
  spec.securityContext['runAsUser'] === 10_001 &&
  JSON.stringify(spec.securityContext['seccompProfile']) === '{"type":"RuntimeDefault"}' &&
  own['allowPrivilegeEscalation'] === false &&
  !own.privileged &&
  JSON.stringify(own.capabilities) === '{"drop":["ALL"]}' &&
  (spec.volumes ?? []).every((it) => it.hostPath === undefined);

interface Selecting {
  selector?: { matchLabels: Record<string, string> };
  podSelector?: { matchLabels: Record<string, string> };
}

/** Pods that no object of a kind selects. */
const unselected = (objects: readonly Rendered[], kind: string, among: (pods: Pods) => boolean): string[] => {
  const selectors = objects
    .filter((it) => it.kind === kind)
    .map(({ spec }) => (spec as Selecting).podSelector ?? (spec as Selecting).selector);
  return eachPods(
    objects.filter((it) => it.kind !== kind),
    (pods) => among(pods) && !selectors.some((it) => it && selects(it.matchLabels, pods.labels)),
  );
};

const secretNames =
  /^(?:KILN_(?:DATABASE_URL|REDIS_URL|SEALING_KEYS?_?O?L?D?|[A-Z]+_PASSWORD)|.*(?:HEADERS|SECRET|TOKEN))$/;

const apps = { api: 'api', builder: 'builder', registrar: 'registrar', migrate: 'admin', admin: 'admin' };
const known = Object.fromEntries(Object.entries(apps).map(([component, app]) => [component, settingsOf(app)]));

const valueOf = ({ env = [] }: Container, name: string): string | undefined =>
  env.find((it) => it.name === name)?.value;

export const rules: Record<string, Rule> = {
  'all but builders keep to the restricted pod security standard': (objects) =>
    eachContainer(objects, (pods, it) => !isBuilder(pods) && !isRestricted(pods, it)),
  'all but builders and their probes have a read-only root file system': (objects) =>
    eachContainer(objects, (pods, it) => !isBuilder(pods) && it.securityContext?.['readOnlyRootFilesystem'] !== true),
  'a builder that is not privileged has a user namespace of its own, and nothing of the machine': (objects) =>
    eachPods(
      objects,
      (it) =>
        isBuilder(it) &&
        !isPrivileged(it) &&
        (it.spec.hostUsers !== false || (it.spec.volumes ?? []).some((volume) => volume.hostPath !== undefined)),
    ),
  'of the machine, privileged builders have /dev and /run/kiln-rooms': (objects) =>
    eachPods(objects, (it) => {
      const paths = (it.spec.volumes ?? []).flatMap(({ hostPath }) => (hostPath ? [hostPath.path] : []));
      return isPrivileged(it) && paths.join() !== '/dev,/run/kiln-rooms';
    }),
  'privileged builders run on machines with the taint kiln.builders': (objects) =>
    eachPods(
      objects,
      (it) =>
        isPrivileged(it) &&
        !it.spec.tolerations?.some(({ key, effect }) => key === 'kiln.builders' && effect === 'NoSchedule'),
    ),
  'builders that do not enforce everything take builds of trusted tenants': (objects) =>
    eachContainer(objects, (pods, it) => {
      const tenants = isPrivileged(pods) ? 'untrusted' : 'trusted';
      return isBuilder(pods) && valueOf(it, 'KILN_BUILDER_TENANTS') !== tenants;
    }),
  'no pod has a token of the cluster': (objects) =>
    eachPods(objects, ({ spec }) => spec.automountServiceAccountToken !== false),
  'no pod gets settings by the names of services': (objects) =>
    eachPods(objects, ({ spec }) => spec.enableServiceLinks !== false),
  'no secret is the value of an environment variable': (objects) =>
    eachContainer(objects, (_pods, { env = [] }) =>
      env.some(
        ({ name, value }) => value !== undefined && (secretNames.test(name) || /:\/\/[^/@]*:[^/@]*@/.test(value)),
      ),
    ),
  'every app gets only settings that it reads': (objects) =>
    podsOf(objects).flatMap((pods) => {
      const names = pods.spec.containers.flatMap(({ env = [] }) => env.map((it) => it.name.replace(/_FILE$/, '')));
      const strange = names.filter((it) => it.startsWith('KILN_') && !known[componentOf(pods)]?.has(it));
      return strange.map((it) => `${pods.name} gets ${it}`);
    }),
  'every image has a tag or a digest': (objects) =>
    eachContainer(
      objects,
      (_pods, { image }) => !/^\S+(?::[\w.-]+|@sha256:[0-9a-f]{64})$/.test(image.replace(/^.*\//, '')),
    ),
  'a builder may end as slowly as it drains, and a minute more': (objects) =>
    eachContainer(
      objects,
      (pods, it) =>
        isBuilder(pods) && pods.spec.terminationGracePeriodSeconds !== Number(valueOf(it, 'KILN_DRAIN_MS')) / 1000 + 60,
    ),
  'network policies select all pods but the one of helm test': (objects) =>
    unselected(objects, 'NetworkPolicy', (it) => componentOf(it) !== 'test'),
  'disruption budgets select all pods that serve': (objects) =>
    unselected(objects, 'PodDisruptionBudget', (it) => ['api', 'registrar', 'builder'].includes(componentOf(it))),
  'selectors of deployments and stateful sets select their own pods': (objects) =>
    objects
      .filter((it) => it.kind === 'Deployment' || it.kind === 'StatefulSet')
      .filter((it) => {
        const [pods] = podsOf([it]);
        const { matchLabels } = (it.spec as Required<Selecting>).selector;
        // Else two of them would fight for the same pods.
        const others = podsOf(objects).filter(
          (other) => other.name !== pods?.name && selects(matchLabels, other.labels),
        );
        return !pods || !selects(matchLabels, pods.labels) || others.length > 0;
      })
      .map((it) => `${it.kind} ${it.metadata.name}`),
  'what scales a stateful set is alone in deciding its size': (objects) =>
    objects
      .filter((it) => it.kind === 'StatefulSet' || it.kind === 'Deployment')
      .filter(({ kind, metadata: { name }, spec }) => {
        const scalers = objects.filter((it) => {
          const { scaleTargetRef: target } = (it.spec ?? {}) as { scaleTargetRef?: { kind: string; name: string } };
          return target?.kind === kind && target.name === name;
        });
        const sized = (spec as { replicas?: number }).replicas === undefined ? 0 : 1;
        return scalers.length + sized !== 1;
      })
      .map((it) => `${it.kind} ${it.metadata.name}`),
  'no two objects have the same name': (objects) => {
    const names = objects.map((it) => `${it.kind} ${it.metadata.name}`);
    return names.filter((it, at) => names.indexOf(it) !== at);
  },
};
