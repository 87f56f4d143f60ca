output "init_script" {
  value       = local.init_script
  description = "The workspace's script, which starts what `script` says once it is traced. For the command, an argument or a variable of a container: every $ in it is doubled, as the kubelet wants it."

  precondition {
    condition     = !local.holds || local.mounts_program
    error_message = "hold_seconds takes effect only with announce_with = \"exectrail\": curl does not stay to watch. Set announce_with, or hold_seconds = 0."
  }
}

output "env" {
  value       = { CODER_AGENT_SUBSYSTEM = "exectrace" }
  description = "Variables of the workspace's container. Coder's server knows the value exectrace."
}

output "sidecar" {
  value       = local.sidecar
  description = "The sidecar's container, for templates that write its block themselves: name, image, command, args, resources and the rest, by the provider's names."
}

output "containers" {
  value       = var.native_sidecar ? [] : [local.sidecar]
  description = "Containers to add to the pod: the sidecar, unless it is a native one."
}

output "init_containers" {
  value = concat(
    local.mounts_program ? [local.installer] : [],
    var.native_sidecar ? [local.sidecar] : [],
  )
  description = "Init containers to add to the pod: the native sidecar, and what copies exectrail to its volume where the workspace announces itself with it."
}

output "volumes" {
  value       = concat([{ name = "exectrail-state" }], local.mounts_program ? [{ name = "exectrail" }] : [])
  description = "Empty directories to add to the pod as volumes."
}

output "label_volumes" {
  value = local.reads_pod_labels ? [{
    name = "exectrail-labels"
    items = [
      { path = "labels", field_path = "metadata.labels" },
      { path = "annotations", field_path = "metadata.annotations" },
    ]
  }] : []
  description = "Volumes of the downward API to add to the pod, with labels_from_pod. Only the sidecar mounts them."
}

output "volume_mounts" {
  value       = local.mounts_program ? [{ name = "exectrail", mount_path = local.mount_path, read_only = true }] : []
  description = "Mounts to add to the workspace's container."
}

output "fit_nodes" {
  value       = { "exectrail.feature.node.kubernetes.io/fit" = "true" }
  description = "Labels of the nodes on which exectrail can trace, where templates/node-check labels them: for the node_selector of the pod."
}
