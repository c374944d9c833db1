{{/* What KEDA asks for a pool. */}}

{{- define "kiln.fallbackReplicas" -}}
{{- max (int64 .autoscaling.minReplicas) (min (int64 .replicas) (int64 .autoscaling.maxReplicas)) -}}
{{- end -}}

{{/*
dict root, name (of the trigger), pool, metric (gauge of the registrars), column (of the view kiln_scaling), target,
metricType: one trigger. Two numbers exist of each pool: the slots that its builds want, and how old the oldest is.
*/}}
{{- define "kiln.trigger" -}}
{{- $values := .root.Values -}}
{{- $keda := .pool.autoscaling.keda -}}
{{- $series := printf "%s{pool=%q}" .metric .pool.pool -}}
- type: {{ $keda.source }}
  name: {{ .name }}
  metricType: {{ .metricType }}
  {{- if eq $keda.source "postgresql" }}
  authenticationRef: { name: {{ include "kiln.fullname" .root }}-scaler }
  {{- end }}
  metadata:
    {{- if eq $keda.source "postgresql" }}
    {{- with $values.scaling.postgresql }}
    host: {{ .host | quote }}
    port: {{ include "kiln.text" .port | quote }}
    dbName: {{ .database | quote }}
    userName: {{ .user | quote }}
    sslmode: {{ .sslmode | quote }}
    {{- end }}
    query: {{ printf "SELECT coalesce(max(%s), 0) FROM kiln_scaling WHERE pool = '%s'" .column .pool.pool | quote }}
    targetQueryValue: {{ .target | quote }}
    {{- else if eq $keda.source "prometheus" }}
    serverAddress: {{ $values.scaling.prometheus.serverAddress | quote }}
    # Every registrar reports the same.
    query: {{ printf "max(%s) or vector(0)" $series | quote }}
    threshold: {{ .target | quote }}
    {{- else }}
    {{- $service := include "kiln.componentName" (dict "root" .root "component" "registrar") }}
    {{- $port := int64 $values.metrics.port }}
    url: {{ printf "http://%s-metrics.%s.svc:%d/metrics" $service .root.Release.Namespace $port | quote }}
    format: prometheus
    valueLocation: {{ $series | quote }}
    targetValue: {{ .target | quote }}
    {{- end }}
{{- end -}}

{{- define "kiln.scalingBehavior" -}}
# As fast as it takes up, and slowly down: a builder that ends has builds, which have to end before it or start anew.
scaleUp:
  stabilizationWindowSeconds: 0
  policies: [{ type: Percent, value: 100, periodSeconds: 30 }, { type: Pods, value: 4, periodSeconds: 30 }]
scaleDown:
  stabilizationWindowSeconds: {{ int64 .stabilizationWindowSeconds }}
  policies: [{ type: Pods, value: {{ int64 .pods }}, periodSeconds: {{ int64 .periodSeconds }} }]
{{- end -}}
