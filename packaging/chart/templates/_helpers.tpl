{{- define "nfsprov.name" -}}
{{ .Values.nameOverride | default .Release.Name }}
{{- end }}

{{- define "nfsprov.clusterRole" -}}
{{ printf "nfsprov:%s:%s" .Release.Namespace (include "nfsprov.name" .) }}
{{- end }}

{{- /* Kubernetes before 1.22 has no policy/v1, and its kubelets refuse the sysctl. */}}
{{- define "nfsprov.before122" -}}
{{ if semverCompare "<1.22.0-0" .Capabilities.KubeVersion.Version }}true{{ end }}
{{- end }}
