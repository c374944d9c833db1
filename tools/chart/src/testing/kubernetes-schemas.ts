import type { Rendered } from './helm.ts';
import { Deployment } from 'kubernetes-models/apps/v1/Deployment';
import { StatefulSet } from 'kubernetes-models/apps/v1/StatefulSet';
import { HorizontalPodAutoscaler } from 'kubernetes-models/autoscaling/v2/HorizontalPodAutoscaler';
import { Job } from 'kubernetes-models/batch/v1/Job';
import { Ingress } from 'kubernetes-models/networking.k8s.io/v1/Ingress';
import { NetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1/NetworkPolicy';
import { PodDisruptionBudget } from 'kubernetes-models/policy/v1/PodDisruptionBudget';
import { ConfigMap } from 'kubernetes-models/v1/ConfigMap';
import { PersistentVolumeClaim } from 'kubernetes-models/v1/PersistentVolumeClaim';
import { Pod } from 'kubernetes-models/v1/Pod';
import { Service } from 'kubernetes-models/v1/Service';
import { ServiceAccount } from 'kubernetes-models/v1/ServiceAccount';
import { ScaledObject } from '@kubernetes-models/keda/keda.sh/v1alpha1/ScaledObject';
import { TriggerAuthentication } from '@kubernetes-models/keda/keda.sh/v1alpha1/TriggerAuthentication';
import { PodMonitor } from '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/PodMonitor';
import { PrometheusRule } from '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/PrometheusRule';

interface Kind {
  apiVersion: string;
  kind: string;
  prototype: { validate(): void };
}
const kinds: Kind[] = [
  Deployment, StatefulSet, HorizontalPodAutoscaler, Job, Ingress, NetworkPolicy, PodDisruptionBudget, ConfigMap,
  PersistentVolumeClaim, Pod, Service, ServiceAccount, ScaledObject, TriggerAuthentication, PodMonitor, PrometheusRule,
]; // prettier-ignore

/** Shows an object to a validator, and keeps which fields nobody has read. */
function watch(value: unknown, path: string, unread: Set<string>): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const at = (key: string) => (Array.isArray(value) ? path : `${path}.${key}`);
  const inner = new Map<string, unknown>();
  for (const [key, it] of Object.entries(value)) {
    if (!Array.isArray(value)) unread.add(at(key));
    inner.set(key, watch(it, Array.isArray(value) ? `${path}[${key}]` : at(key), unread));
  }
  return new Proxy(value, {
    get(target, key) {
      if (typeof key !== 'string' || !inner.has(key)) return Reflect.get(target, key) as unknown;
      unread.delete(at(key));
      return inner.get(key);
    },
  });
}

/**
 * What the schemas of Kubernetes, KEDA and the Prometheus operator have against an object. The validators themselves
 * let fields pass that they do not know; those are the ones that they never read.
 */
export function violations(object: Rendered): string[] {
  const { apiVersion, kind, metadata } = object;
  const name = `${kind} ${metadata.name}`;
  const found = kinds.find((it) => it.kind === kind && it.apiVersion === apiVersion);
  if (!found) return [`${name}: ${apiVersion} has no such kind`];
  const unread = new Set<string>();
  const watched = watch(object, '', unread);
  try {
    found.prototype.validate.call(watched);
  } catch (error) {
    return [`${name}: ${error instanceof Error ? error.message : String(error)}`];
  }
  return [...unread].map((it) => `${name}: ${it} is no field`);
}
