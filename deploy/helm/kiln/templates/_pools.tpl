{{/* Pools of builders, each with what builders.defaults says where it says nothing itself. */}}

{{/*
list base, over: a new dict with what `over` changes. Helm's own mergeOverwrite would not take over `false` and `0`.
*/}}
{{- define "kiln.overlay" -}}
{{- $out := deepCopy (index . 0) -}}
{{- range $key, $value := index . 1 -}}
{{- $old := get $out $key -}}
{{- if and (kindIs "map" $value) (kindIs "map" $old) -}}
{{- $_ := set $out $key (include "kiln.overlay" (list $old $value) | fromJson) -}}
{{- else if not (kindIs "invalid" $value) -}}
{{- $_ := set $out $key $value -}}
{{- end -}}
{{- end -}}
{{- toJson $out -}}
{{- end -}}

{{/* As JSON: the pools by their keys. A pool that is null is none. */}}
{{- define "kiln.pools" -}}
{{- $out := dict -}}
{{- range $key, $pool := .Values.builders.pools -}}
{{- if kindIs "map" $pool -}}
{{- $base := set (deepCopy $.Values.builders.defaults) "pool" "" -}}
{{- $_ := set $out $key (include "kiln.overlay" (list $base $pool) | fromJson) -}}
{{- end -}}
{{- end -}}
{{- toJson $out -}}
{{- end -}}
