{{/* Values that cannot work together. Each message names the value and what to do. */}}

{{- define "kiln.check" -}}
{{- include "kiln.check.names" . -}}
{{- include "kiln.check.images" . -}}
{{- include "kiln.check.secrets" . -}}
{{- include "kiln.check.config" . -}}
{{- include "kiln.check.settings" . -}}
{{- include "kiln.check.pools" . -}}
{{- if and .Values.api.ingress.enabled (not .Values.api.ingress.hosts) -}}
{{- fail "api.ingress.hosts is empty: list the host names of the ingress, or set api.ingress.enabled to false" -}}
{{- end -}}
{{- with .Values.api.autoscaling -}}
{{- if and .enabled (gt (int64 .minReplicas) (int64 .maxReplicas)) -}}
{{- fail "api.autoscaling.minReplicas is greater than api.autoscaling.maxReplicas: raise maxReplicas" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "kiln.check.names" -}}
{{- $name := include "kiln.fullname" . -}}
{{- if not (regexMatch "^[a-z]([a-z0-9-]{0,18}[a-z0-9])?$" $name) -}}
{{- $say := "the name %q is not made of at most 20 small letters, digits and -, beginning with a letter: " -}}
{{- fail (printf (print $say "set fullnameOverride to one that is") $name) -}}
{{- end -}}
{{- end -}}

{{- define "kiln.check.images" -}}
{{- $apps := or .Values.api.enabled .Values.registrar.enabled .Values.migrate.enabled .Values.admin.enabled -}}
{{- if and $apps (not .Values.images.kiln.repository) -}}
{{- fail "images.kiln.repository is empty: push `docker build --target kiln` to your registry and set it" -}}
{{- end -}}
{{- if and (include "kiln.pools" . | fromJson) (not .Values.images.builder.repository) -}}
{{- fail "images.builder.repository is empty: push `docker build --target builder` to your registry and set it" -}}
{{- end -}}
{{- end -}}

{{- define "kiln.check.secrets" -}}
{{- $secrets := .Values.secrets -}}
{{- $needed := dict -}}
{{- $owner := or .Values.migrate.enabled .Values.admin.enabled -}}
{{- $pools := include "kiln.pools" . | fromJson -}}
{{- if or $owner .Values.api.enabled .Values.registrar.enabled $pools -}}
{{- $_ := set $needed "sealingKey" $secrets.sealingKey -}}
{{- end -}}
{{- if $owner }}{{ $_ := set $needed "owner.database" $secrets.owner.database }}{{ end -}}
{{- $apps := dict "api" .Values.api.enabled "registrar" .Values.registrar.enabled "builder" $pools -}}
{{- range $app, $there := $apps -}}
{{- if $there -}}
{{- $_ := set $needed (printf "%s.database" $app) (get $secrets $app).database -}}
{{- if eq $.Values.queue "redis" }}{{ $_ := set $needed (printf "%s.redis" $app) (get $secrets $app).redis }}{{ end -}}
{{- end -}}
{{- end -}}
{{- range $name, $ref := $needed -}}
{{- if not $ref.secret -}}
{{- fail (printf "secrets.%s.secret is empty: name a secret of this namespace that has the key %q" $name $ref.key) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "kiln.check.config" -}}
{{- if and .Values.platform.document .Values.platform.existingConfigMap -}}
{{- fail "platform.document and platform.existingConfigMap are both set: remove one of them" -}}
{{- end -}}
{{- if and .Values.profiles.files .Values.profiles.existingConfigMap -}}
{{- fail "profiles.files and profiles.existingConfigMap are both set: remove one of them" -}}
{{- end -}}
{{- if and (eq .Values.contexts.store "bucket") (not .Values.contexts.bucket.name) -}}
{{- fail "contexts.bucket.name is empty: set it to BUCKET or BUCKET/PREFIX, or contexts.store to volume or none" -}}
{{- end -}}
{{- end -}}
