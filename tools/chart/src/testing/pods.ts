import type { Rendered } from './helm.ts';

export interface Container {
  name: string;
  image: string;
  env?: { name: string; value?: string; valueFrom?: unknown }[];
  ports?: { name: string; containerPort: number }[];
  securityContext?: Record<string, unknown> & {
    privileged?: boolean;
    capabilities?: { add?: string[]; drop?: string[] };
  };
  volumeMounts?: { name: string; mountPath: string }[];
}

export interface PodSpec {
  containers: Container[];
  hostUsers?: boolean;
  automountServiceAccountToken?: boolean;
  enableServiceLinks?: boolean;
  serviceAccountName?: string;
  terminationGracePeriodSeconds?: number;
  tolerations?: Record<string, string>[];
  securityContext?: Record<string, unknown>;
  volumes?: ({ name: string; hostPath?: { path: string } } & Record<string, unknown>)[];
}

/** Pods of an object: its own, or those that it makes. */
export interface Pods {
  /** Kind and name of the object. */
  name: string;
  kind: string;
  labels: Record<string, string>;
  spec: PodSpec;
}

interface WithTemplate {
  template: { metadata?: { labels?: Record<string, string> }; spec: PodSpec };
}

const makers = new Set(['Deployment', 'StatefulSet', 'Job']);

export function podsOf(objects: readonly Rendered[]): Pods[] {
  return objects.flatMap(({ kind, metadata, spec }) => {
    const name = `${kind} ${metadata.name}`;
    if (kind === 'Pod') return [{ name, kind, labels: metadata.labels ?? {}, spec: spec as PodSpec }];
    if (!makers.has(kind)) return [];
    const { template } = spec as WithTemplate;
    return [{ name, kind, labels: template.metadata?.labels ?? {}, spec: template.spec }];
  });
}

export const componentOf = ({ labels }: Pods): string => labels['app.kubernetes.io/component'] ?? '';

/** Whether labels are all those that a selector wants. */
export const selects = (wanted: Record<string, string>, labels: Record<string, string>): boolean =>
  Object.entries(wanted).every(([key, value]) => labels[key] === value);
