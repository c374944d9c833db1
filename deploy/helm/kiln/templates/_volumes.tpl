{{/* Volumes that apps have in common. */}}

{{- define "kiln.platformConfigMap" -}}
{{- if .Values.platform.existingConfigMap -}}
{{- .Values.platform.existingConfigMap -}}
{{- else if .Values.platform.document -}}
{{- printf "%s-platform" (include "kiln.fullname" .) -}}
{{- end -}}
{{- end -}}

{{- define "kiln.profilesConfigMap" -}}
{{- if .Values.profiles.existingConfigMap -}}
{{- .Values.profiles.existingConfigMap -}}
{{- else if .Values.profiles.files -}}
{{- printf "%s-profiles" (include "kiln.fullname" .) -}}
{{- end -}}
{{- end -}}

{{/* dict root, app: volumes of what an app reads */}}
{{- define "kiln.volumes" -}}
{{- $values := .root.Values -}}
- name: secrets
  projected:
    # 0440: readable by root and by the group that fsGroup names.
    defaultMode: 288
    sources:
      {{- range include "kiln.secretFiles" . | fromJsonArray }}
      - secret:
          name: {{ .secret | quote }}
          items: [{ key: {{ .key | quote }}, path: {{ .file | quote }} }]
      {{- end }}
{{- if and (has .app (list "api" "builder" "admin")) (include "kiln.platformConfigMap" .root) }}
- name: platform
  configMap:
    name: {{ include "kiln.platformConfigMap" .root | quote }}
{{- end }}
{{- if and (has .app (list "api" "registrar")) (include "kiln.profilesConfigMap" .root) }}
- name: profiles
  configMap:
    name: {{ include "kiln.profilesConfigMap" .root | quote }}
{{- end }}
{{- if $values.trustedCa.configMap }}
- name: ca
  configMap:
    name: {{ $values.trustedCa.configMap | quote }}
{{- end }}
{{- if and (has .app (list "api" "builder")) (eq $values.contexts.store "volume") }}
- name: contexts
  persistentVolumeClaim:
    {{- $made := printf "%s-contexts" (include "kiln.fullname" .root) }}
    claimName: {{ default $made $values.contexts.volume.existingClaim | quote }}
{{- end }}
{{- end -}}

{{/* dict root, app: where they are mounted */}}
{{- define "kiln.volumeMounts" -}}
{{- $values := .root.Values -}}
- { name: secrets, mountPath: /etc/kiln/secrets, readOnly: true }
{{- if and (has .app (list "api" "builder" "admin")) (include "kiln.platformConfigMap" .root) }}
- { name: platform, mountPath: /etc/kiln/platform, readOnly: true }
{{- end }}
{{- if and (has .app (list "api" "registrar")) (include "kiln.profilesConfigMap" .root) }}
- { name: profiles, mountPath: /etc/kiln/profiles, readOnly: true }
{{- end }}
{{- if $values.trustedCa.configMap }}
- { name: ca, mountPath: /etc/kiln/ca, readOnly: true }
{{- end }}
{{- if and (has .app (list "api" "builder")) (eq $values.contexts.store "volume") }}
- { name: contexts, mountPath: /var/lib/kiln-contexts }
{{- end }}
{{- end -}}
