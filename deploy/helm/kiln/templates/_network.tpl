{{/* Rules of network policies. Each is a list of one rule or none. */}}

{{- define "kiln.egress.dns" -}}
- to:
    {{- toYaml .Values.networkPolicy.dns.to | nindent 4 }}
  ports:
    - { port: 53, protocol: UDP }
    - { port: 53, protocol: TCP }
{{- end -}}

{{/* A server: dict to (empty for any address), port */}}
{{- define "kiln.egress.server" -}}
- ports:
    - { port: {{ int64 .port }}, protocol: TCP }
  {{- with .to }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}

{{- define "kiln.egress.internet" -}}
{{- with .Values.networkPolicy.internet }}
- to:
    {{- range . }}
    - ipBlock:
        {{- toYaml . | nindent 8 }}
    {{- end }}
{{- end }}
{{- end -}}

{{/* What api, registrar and builders have in common: DNS, PostgreSQL, Redis, and a collector of traces. */}}
{{- define "kiln.egress.servers" -}}
{{- $policy := .Values.networkPolicy -}}
{{- include "kiln.egress.dns" . }}
{{ include "kiln.egress.server" $policy.postgresql }}
{{- if eq .Values.queue "redis" }}
{{ include "kiln.egress.server" $policy.redis }}
{{- end }}
{{- if get .Values.settings "OTEL_EXPORTER_OTLP_ENDPOINT" }}
{{ include "kiln.egress.server" $policy.otlp }}
{{- end }}
{{- end -}}
