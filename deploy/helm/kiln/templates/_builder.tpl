{{/* What each profile of builders may do on its machine. */}}

{{/* As in docker-compose.yml: the builder mounts file systems, makes namespaces, cgroups and firewall rules. */}}
{{- define "kiln.builderSecurity.privileged" -}}
securityContext:
  privileged: true
  runAsUser: 0
  runAsGroup: 0
{{- end -}}

{{/*
Root of a user namespace of the pod's own, and nobody outside of it. BuildKit mounts file systems and starts
containers there, which the runtime's seccomp and AppArmor profiles would refuse (mount, pivot_root, keyctl); procMount
lets it mount /proc in containers. CAP_SYS_PTRACE is for entering the namespaces of engine rooms.
*/}}
{{- define "kiln.builderSecurity.userNamespace" -}}
securityContext:
  privileged: false
  runAsUser: 0
  runAsGroup: 0
  allowPrivilegeEscalation: true
  procMount: Unmasked
  seccompProfile: { type: Unconfined }
  appArmorProfile: { type: Unconfined }
  capabilities:
    drop: [ALL]
    add:
      - AUDIT_WRITE
      - CHOWN
      - DAC_OVERRIDE
      - FOWNER
      - FSETID
      - KILL
      - MKNOD
      - NET_ADMIN
      - NET_BIND_SERVICE
      - NET_RAW
      - SETFCAP
      - SETGID
      - SETPCAP
      - SETUID
      - SYS_ADMIN
      - SYS_CHROOT
      - SYS_PTRACE
{{- end -}}
