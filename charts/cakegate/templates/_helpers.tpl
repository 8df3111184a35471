{{/* Base of all names: `cakegate-operator` for a release called cakegate. */}}
{{- define "cakegate.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- $release := .Release.Name | trunc 32 | trimSuffix "-" -}}
{{- ternary $release (printf "%s-cakegate" $release) (contains "cakegate" $release) -}}-operator
{{- end -}}
{{- end -}}

{{- define "cakegate.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "cakegate.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/*
They select pods and never change: no version. By the name, bakeries' NetworkPolicies let the operator ask whether their
sample upstream answers.
*/}}
{{- define "cakegate.selector" -}}
app.kubernetes.io/name: cakegate-operator
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: operator
{{- end -}}

{{- define "cakegate.labels" -}}
{{ include "cakegate.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: cakegate
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- end -}}

{{- define "cakegate.tag" -}}
{{- default .Chart.AppVersion .Values.image.tag -}}
{{- end -}}

{{- define "cakegate.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ include "cakegate.tag" . }}
{{- end -}}
{{- end -}}

{{/* Labels as name=value pairs, separated by commas. */}}
{{- define "cakegate.pairs" -}}
{{- $pairs := list -}}
{{- range $name, $value := . -}}
{{- $pairs = append $pairs (printf "%s=%s" $name $value) -}}
{{- end -}}
{{- join "," $pairs -}}
{{- end -}}

{{/* Pod Security Standards, `restricted`. */}}
{{- define "cakegate.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities:
  drop: [ALL]
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{/*
What the operator may do where bakeries live: make, change and remove the kinds that bakeries are made of. Of Secrets it
reads those that a resource names and makes those that it generates; it can neither list nor change any.
*/}}
{{- define "cakegate.rules" -}}
- apiGroups: [cakegate.dev]
  resources: [cakebakeries]
  verbs: [get, list, watch]
- apiGroups: [cakegate.dev]
  resources: [cakebakeries/status]
  verbs: [get, patch]
# What a child's ownerReference with blockOwnerDeletion asks for where OwnerReferencesPermissionEnforcement is on.
- apiGroups: [cakegate.dev]
  resources: [cakebakeries/finalizers]
  verbs: [update]
- apiGroups: [""]
  resources: [services, configmaps, serviceaccounts]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [apps]
  resources: [deployments, statefulsets]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [batch]
  resources: [jobs, cronjobs]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [autoscaling]
  resources: [horizontalpodautoscalers]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [networking.k8s.io]
  resources: [networkpolicies, ingresses]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [keda.sh]
  resources: [scaledobjects, triggerauthentications]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [monitoring.coreos.com]
  resources: [servicemonitors, prometheusrules]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [postgresql.cnpg.io]
  resources: [clusters]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [gateway.networking.k8s.io]
  resources: [httproutes]
  verbs: [get, list, watch, create, patch, delete]
# Volumes are made and never removed.
- apiGroups: [""]
  resources: [persistentvolumeclaims]
  verbs: [get, create]
- apiGroups: [""]
  resources: [secrets]
  verbs: [get, create]
# Why a pod does not become ready.
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list]
- apiGroups: [""]
  resources: [events]
  verbs: [create, patch]
{{- end -}}
