{{/* What the pods of all apps have in common. */}}

{{/*
dict root, component, pool, values: metadata of pods. A change of a ConfigMap of the chart restarts those that read it:
apps read platform and profiles once, at their start.
*/}}
{{- define "kiln.podMetadata" -}}
{{- $read := dict -}}
{{- if ne .component "registrar" }}{{ $_ := set $read "platform" .root.Values.platform.document }}{{ end -}}
{{- if ne .component "builder" }}{{ $_ := set $read "profiles" .root.Values.profiles.files }}{{ end -}}
labels:
  {{- include "kiln.podLabels" . | nindent 2 }}
annotations:
  kiln/config: {{ toJson $read | sha256sum }}
  {{- with .values.podAnnotations }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{/* dict root, component, pool, values, tolerations: where pods run, and as whom */}}
{{- define "kiln.podPlacement" -}}
{{- $values := .values -}}
serviceAccountName: {{ include "kiln.serviceAccountName" . }}
automountServiceAccountToken: false
# Else a service that is called kiln-api becomes KILN_API_PORT=tcp://…, which Kiln would read as a setting.
enableServiceLinks: false
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with default .root.Values.priorityClassName $values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with concat (default list .tolerations) (default list $values.tolerations) }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
topologySpreadConstraints:
{{- if $values.topologySpreadConstraints }}
  {{- toYaml $values.topologySpreadConstraints | nindent 2 }}
{{- else }}
{{- range $key := list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - maxSkew: 1
    topologyKey: {{ $key }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "kiln.selectorLabels" $ | nindent 8 }}
{{- end }}
{{- end }}
{{- end -}}

{{/* The user of the image `kiln`; the same as in deploy/Dockerfile. */}}
{{- define "kiln.podSecurity" -}}
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: { type: RuntimeDefault }
{{- end -}}

{{- define "kiln.containerSecurity" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: { drop: [ALL] }
{{- end -}}

{{/* The metrics port opens last, when an app is ready. Its page is not asked for: it costs a registrar queries. */}}
{{- define "kiln.workerProbes" -}}
startupProbe:
  tcpSocket: { port: metrics }
  periodSeconds: 5
  failureThreshold: 60
livenessProbe:
  tcpSocket: { port: metrics }
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  tcpSocket: { port: metrics }
  periodSeconds: 10
  timeoutSeconds: 5
{{- end -}}

{{- define "kiln.resources" -}}
{{- with . }}
resources:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}
