{{/* Settings that are not given as settings: secrets, and what the chart sets from a value of its own. */}}
{{- define "kiln.reservedSettings" -}}
KILN_DATABASE_URL: secrets.<app>.database
KILN_REDIS_URL: secrets.<app>.redis
KILN_QUEUE: queue
KILN_SEALING_KEY: secrets.sealingKey
KILN_SEALING_KEYS_OLD: secrets.sealingKeysOld
KILN_API_PASSWORD: secrets.passwords
KILN_BUILDER_PASSWORD: secrets.passwords
KILN_REGISTRAR_PASSWORD: secrets.passwords
KILN_SCALER_PASSWORD: scaling.postgresql.password
OTEL_EXPORTER_OTLP_HEADERS: secrets.otlpHeaders
KILN_API_HOST: listenAddress
KILN_API_PORT: api.service.port
KILN_METRICS_HOST: listenAddress
KILN_METRICS_PORT: metrics.port
KILN_BUILDER_POOL: builders.pools.<name>.pool
KILN_BUILDER_SLOTS: builders.pools.<name>.slots
KILN_BUILDER_TENANTS: builders.pools.<name>.profile
KILN_BUILDER_DIR: builders.pools.<name>.cache
KILN_DRAIN_MS: builders.pools.<name>.drainSeconds
KILN_CONTEXT_DIR: contexts.store
KILN_CONTEXT_BUCKET: contexts.bucket.name
KILN_CONTEXT_ENDPOINT: contexts.bucket.endpoint
KILN_PLATFORM: platform.document
KILN_PROFILES_DIR: profiles.files
AWS_SHARED_CREDENTIALS: contexts.bucket.credentials
NODE_EXTRA_CA_CERTS: trustedCa.configMap
{{- end -}}

{{- define "kiln.check.settings" -}}
{{- $reserved := include "kiln.reservedSettings" . | fromYaml -}}
{{- $places := dict "settings" (list .Values.settings list) -}}
{{- range $app := list "api" "registrar" "admin" -}}
{{- $values := get $.Values $app -}}
{{- $_ := set $places (printf "%s.settings" $app) (list $values.settings $values.extraEnv) -}}
{{- end -}}
{{- range $key, $pool := include "kiln.pools" . | fromJson -}}
{{- $_ := set $places (printf "builders.pools.%s.settings" $key) (list $pool.settings $pool.extraEnv) -}}
{{- end -}}
{{- range $place, $both := $places -}}
{{- $names := keys (default dict (index $both 0)) -}}
{{- range index $both 1 }}{{ $names = append $names .name }}{{ end -}}
{{- range $names -}}
{{- with get $reserved (trimSuffix "_FILE" .) -}}
{{- fail (printf "%s (or extraEnv beside it) has a setting that %s gives: remove it there, and set %s" $place . .) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
