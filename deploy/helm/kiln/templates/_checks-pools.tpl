{{- define "kiln.check.pools" -}}
{{- $seen := dict -}}
{{- $lists := .Values.platform.document -}}
{{- range $key, $pool := include "kiln.pools" . | fromJson -}}
{{- $at := printf "builders.pools.%s" $key -}}
{{- $name := ternary (printf "%q" $pool.pool) "the common pool" (ne $pool.pool "") -}}
{{- if hasKey $seen $name -}}
{{- $say := "%s and builders.pools.%s are both builders of %s, and would each be scaled for all its builds: " -}}
{{- fail (printf (print $say "give them different values of `pool`") $at (get $seen $name) $name) -}}
{{- end -}}
{{- $_ := set $seen $name $key -}}
{{- $listed := or $.Values.platform.existingConfigMap (hasKey (default dict $lists.pools) $pool.pool) -}}
{{- if and $pool.pool (not $listed) -}}
{{- $say := "%s.pool is %s, which platform.document.pools does not list: no request could name it; add it there" -}}
{{- fail (printf $say $at $name) -}}
{{- end -}}
{{- include "kiln.check.scaling" (dict "root" $ "at" $at "pool" $pool) -}}
{{- end -}}
{{- end -}}

{{/* dict root, at (where the pool is in the values), pool */}}
{{- define "kiln.check.scaling" -}}
{{- $values := .root.Values -}}
{{- $at := printf "%s.autoscaling" .at -}}
{{- with .pool.autoscaling -}}
{{- if and .keda.enabled .hpa.enabled -}}
{{- fail (printf "%s has keda and hpa enabled: two autoscalers would work against each other; disable one" $at) -}}
{{- end -}}
{{- if and (or .keda.enabled .hpa.enabled) (gt (int64 .minReplicas) (int64 .maxReplicas)) -}}
{{- fail (printf "%s.minReplicas is greater than maxReplicas: raise maxReplicas" $at) -}}
{{- end -}}
{{- if and .hpa.enabled (lt (int64 .minReplicas) 1) -}}
{{- fail (printf "%s.minReplicas is 0, which a HorizontalPodAutoscaler cannot do: set it to 1, or use keda" $at) -}}
{{- end -}}
{{- if .keda.enabled -}}
{{- if eq .keda.source "postgresql" -}}
{{- if not $values.scaling.postgresql.host -}}
{{- $say := "scaling.postgresql.host is empty, and %s.keda asks PostgreSQL: set it to the host of the database" -}}
{{- fail (printf $say $at) -}}
{{- end -}}
{{- if not $values.scaling.postgresql.password.secret -}}
{{- $say := "scaling.postgresql.password.secret is empty, and %s.keda asks PostgreSQL: " -}}
{{- fail (printf (print $say "name the secret with the password of kiln_scaler") $at) -}}
{{- end -}}
{{- else if and (eq .keda.source "prometheus") (not $values.scaling.prometheus.serverAddress) -}}
{{- $say := "scaling.prometheus.serverAddress is empty, and %s.keda asks Prometheus: " -}}
{{- fail (printf (print $say "set it, for instance to http://prometheus.monitoring:9090") $at) -}}
{{- else if and (eq .keda.source "metrics-api") (not $values.registrar.enabled) -}}
{{- $say := "%s.keda.source is metrics-api, and registrar.enabled is false: " -}}
{{- fail (printf (print $say "KEDA would ask registrars that are not there; use postgresql or prometheus") $at) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
