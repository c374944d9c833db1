{{/* Names and labels. `component` is api, registrar, admin, migrate, test or builder. */}}

{{- define "kiln.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* At most 20 characters: the names of a pool's pods are made of it, of the pool's and of a number. */}}
{{- define "kiln.fullname" -}}
{{- $name := include "kiln.name" . -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name -}}
{{- end -}}
{{- end -}}

{{/* dict root, component, pool (key of a pool; builders only) */}}
{{- define "kiln.componentName" -}}
{{- if .pool -}}
{{- printf "%s-builder-%s" (include "kiln.fullname" .root) .pool -}}
{{- else -}}
{{- printf "%s-%s" (include "kiln.fullname" .root) .component -}}
{{- end -}}
{{- end -}}

{{/* dict root, component, pool: what selectors select by; it must not change while a release lives. */}}
{{- define "kiln.selectorLabels" -}}
app.kubernetes.io/name: {{ include "kiln.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- if .pool }}
kiln-pool: {{ .pool }}
{{- end }}
{{- end -}}

{{/* dict root, component, pool: labels of an object. Kiln's own labels win over an operator's. */}}
{{- define "kiln.labels" -}}
{{- $own := include "kiln.selectorLabels" . | fromYaml -}}
{{- $chart := printf "%s-%s" .root.Chart.Name .root.Chart.Version -}}
{{- $more := dict "helm.sh/chart" $chart "app.kubernetes.io/managed-by" .root.Release.Service -}}
{{- $_ := set $more "app.kubernetes.io/version" .root.Chart.AppVersion -}}
{{- merge $own $more (deepCopy (default dict .extra)) (deepCopy .root.Values.commonLabels) | toYaml -}}
{{- end -}}

{{/* The same for pods, without versions: a new version of the chart alone would restart builders. */}}
{{- define "kiln.podLabels" -}}
{{- $own := include "kiln.selectorLabels" . | fromYaml -}}
{{- merge $own (deepCopy (default dict .values.podLabels)) (deepCopy .root.Values.commonLabels) | toYaml -}}
{{- end -}}

{{/* dict root, component: the name of its service account */}}
{{- define "kiln.serviceAccountName" -}}
{{- $account := include "kiln.accountOf" . | fromYaml -}}
{{- default (ternary (include "kiln.componentName" (omit . "pool")) "default" $account.create) $account.name -}}
{{- end -}}

{{- define "kiln.accountOf" -}}
{{- $values := .root.Values -}}
{{- $accounts := dict "api" $values.api "registrar" $values.registrar -}}
{{- $_ := merge $accounts (dict "admin" $values.admin "builder" $values.builders) -}}
{{- (get $accounts .component).serviceAccount | toYaml -}}
{{- end -}}

{{/* dict root, which (kiln or builder), own (tag and digest of an app alone) */}}
{{- define "kiln.image" -}}
{{- $image := get .root.Values.images .which -}}
{{- $own := default dict .own -}}
{{- $digest := default (ternary "" $image.digest (not (empty $own.tag))) $own.digest -}}
{{- if $digest -}}
{{- printf "%s@%s" $image.repository $digest -}}
{{- else -}}
{{- printf "%s:%s" $image.repository (default .root.Chart.AppVersion (default $image.tag $own.tag)) -}}
{{- end -}}
{{- end -}}
