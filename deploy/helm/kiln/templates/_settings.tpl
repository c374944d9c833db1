{{/* Settings: environment variables, and files of secrets that `KILN_..._FILE` names. */}}

{{/* A setting as text. Helm reads numbers as floats: 21474836480 would become 2.147483648e+10. */}}
{{- define "kiln.text" -}}
{{- if and (kindIs "float64" .) (eq (floor .) .) -}}{{ int64 . }}{{- else -}}{{ . }}{{- end -}}
{{- end -}}

{{/* dict root, app: what secrets an app has, as JSON: a list of setting, file, secret, key */}}
{{- define "kiln.secretFiles" -}}
{{- $secrets := .root.Values.secrets -}}
{{- $files := list -}}
{{- $own := dict "api" $secrets.api "registrar" $secrets.registrar "builder" $secrets.builder -}}
{{- $app := default $secrets.owner (get $own .app) -}}
{{- $wanted := list
  (list "KILN_DATABASE_URL" "database-url" $app.database)
  (list "KILN_DATABASE_POOLER_URL" "database-pooler-url" $app.databasePooler)
  (list "KILN_REDIS_URL" "redis-url" (ternary $app.redis nil (eq .root.Values.queue "redis")))
  (list "KILN_SEALING_KEY" "sealing-key" $secrets.sealingKey)
  (list "KILN_SEALING_KEYS_OLD" "sealing-keys-old" $secrets.sealingKeysOld) -}}
{{- if eq .app "migrate" -}}
{{- range $name := list "api" "builder" "registrar" -}}
{{- $ref := dict "secret" $secrets.passwords.secret "key" (get $secrets.passwords (printf "%sKey" $name)) -}}
{{- $setting := printf "KILN_%s_PASSWORD" (upper $name) -}}
{{- $wanted = append $wanted (list $setting (printf "%s-password" $name) $ref) -}}
{{- end -}}
{{- if $secrets.passwords.secret -}}
{{- $ref := .root.Values.scaling.postgresql.password -}}
{{- $wanted = append $wanted (list "KILN_SCALER_PASSWORD" "scaler-password" $ref) -}}
{{- end -}}
{{- end -}}
{{- if has .app (list "api" "builder") -}}
{{- $bucket := .root.Values.contexts.bucket -}}
{{- if eq .root.Values.contexts.store "bucket" -}}
{{- $wanted = append $wanted (list "AWS_SHARED_CREDENTIALS" "aws-credentials" $bucket.credentials) -}}
{{- end -}}
{{- end -}}
{{- range $wanted -}}
{{- $ref := index . 2 -}}
{{- if and $ref $ref.secret -}}
{{- $file := dict "setting" (printf "%s_FILE" (index . 0)) "file" (index . 1) "secret" $ref.secret "key" $ref.key -}}
{{- $files = append $files $file -}}
{{- end -}}
{{- end -}}
{{- toJson $files -}}
{{- end -}}

{{/* dict root, app, poolValues (of a builder): what the chart itself sets, as JSON */}}
{{- define "kiln.ownSettings" -}}
{{- $values := .root.Values -}}
{{- $out := dict -}}
{{- if has .app (list "api" "registrar" "builder") -}}
{{- $_ := set $out "KILN_METRICS_PORT" (include "kiln.text" $values.metrics.port) -}}
{{- $_ := set $out "KILN_METRICS_HOST" $values.listenAddress -}}
{{- $_ := set $out "KILN_QUEUE" $values.queue -}}
{{- end -}}
{{- if eq .app "api" -}}
{{- $_ := set $out "KILN_API_HOST" $values.listenAddress -}}
{{- $_ := set $out "KILN_API_PORT" "8080" -}}
{{- end -}}
{{- if eq .app "builder" -}}
{{- $_ := set $out "KILN_BUILDER_POOL" .poolValues.pool -}}
{{- $_ := set $out "KILN_BUILDER_SLOTS" (include "kiln.text" .poolValues.slots) -}}
{{- $_ := set $out "KILN_DRAIN_MS" (mul (int64 .poolValues.drainSeconds) 1000 | toString) -}}
{{- $_ := set $out "KILN_BUILDER_DIR" "/var/lib/kiln-builder" -}}
{{- $_ := set $out "KILN_BUILDER_TENANTS" (ternary "trusted" "untrusted" (eq .poolValues.profile "userNamespace")) -}}
{{- end -}}
{{- if has .app (list "api" "builder") -}}
{{- if eq $values.contexts.store "volume" -}}
{{- $_ := set $out "KILN_CONTEXT_DIR" "/var/lib/kiln-contexts" -}}
{{- else if eq $values.contexts.store "bucket" -}}
{{- $_ := set $out "KILN_CONTEXT_BUCKET" $values.contexts.bucket.name -}}
{{- with $values.contexts.bucket.endpoint }}{{ $_ := set $out "KILN_CONTEXT_ENDPOINT" . }}{{ end -}}
{{- end -}}
{{- end -}}
{{- if and (has .app (list "api" "builder" "admin")) (include "kiln.platformConfigMap" .root) -}}
{{- $_ := set $out "KILN_PLATFORM_FILE" (printf "/etc/kiln/platform/%s" $values.platform.key) -}}
{{- end -}}
{{- if and (has .app (list "api" "registrar")) (include "kiln.profilesConfigMap" .root) -}}
{{- $_ := set $out "KILN_PROFILES_DIR" "/etc/kiln/profiles" -}}
{{- end -}}
{{- if $values.trustedCa.configMap -}}
{{- $_ := set $out "NODE_EXTRA_CA_CERTS" (printf "/etc/kiln/ca/%s" $values.trustedCa.key) -}}
{{- end -}}
{{- toJson $out -}}
{{- end -}}

{{/* dict root, app, poolValues, settings (a list of maps; later ones win), extraEnv */}}
{{- define "kiln.env" -}}
{{- $all := include "kiln.ownSettings" . | fromJson -}}
{{- range .settings -}}
{{- range $name, $value := . -}}{{- $_ := set $all $name (include "kiln.text" $value) -}}{{- end -}}
{{- end -}}
{{- range include "kiln.secretFiles" . | fromJsonArray -}}
{{- $_ := set $all .setting (printf "/etc/kiln/secrets/%s" .file) -}}
{{- end -}}
{{- range $name := keys $all | sortAlpha }}
- name: {{ $name }}
  value: {{ get $all $name | quote }}
{{- end }}
{{- with .root.Values.secrets.otlpHeaders }}
{{- if and .secret (ne $.app "migrate") (ne $.app "admin") }}
# OpenTelemetry's exporter reads it from the environment alone.
- name: OTEL_EXPORTER_OTLP_HEADERS
  valueFrom:
    secretKeyRef: { name: {{ .secret | quote }}, key: {{ .key | quote }} }
{{- end }}
{{- end }}
{{- with .extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}
