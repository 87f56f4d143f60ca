output "init_script" {
  description = <<-EOT
    The workspace's script: it announces the workspace, and starts `script` once every exec is
    recorded. It can be in the command, an argument or a variable of a container: every $ in it is
    doubled, as the kubelet expects.
  EOT
  value       = local.init_scripts[""]

  precondition {
    condition     = !local.holds || local.mounts_program
    error_message = <<-EOT
      hold_seconds takes effect only with announce_with = "exectrail": curl does not stay to watch.
      Set announce_with, or hold_seconds = 0.
    EOT
  }

  # The sidecar would refuse longer labels, because labels may take a quarter of a line at most;
  # --max-line-bytes changes the limit.
  precondition {
    condition     = local.labels_bytes <= 4000 || local.sets_line_length
    error_message = <<-EOT
      labels have more than 4,000 bytes, a quarter of a line. Shorten them, or allow longer lines:
      args = ["--max-line-bytes=64KiB"].
    EOT
  }
}

output "init_scripts" {
  description = "The same as init_script for each entry of `scripts`, by the entry's name."
  value       = { for name, script in local.init_scripts : name => script if name != "" }
}

output "announce_command" {
  description = <<-EOT
    Words to put before the command of a container whose image has no shell. They run exectrail from
    the volume of volume_mounts: exectrail announces the container, waits until every exec is
    recorded, and starts that command. null unless announce_with is "exectrail".
  EOT
  value       = local.mounts_program ? local.announce_command : null
}

output "env" {
  description = "Variables of the workspace's container. Coder's server knows the value exectrace."
  value       = { CODER_AGENT_SUBSYSTEM = "exectrace" }
}

output "sidecar" {
  description = <<-EOT
    The sidecar's container, for templates that write its block themselves: name, image, command,
    args, resources and the rest, by the provider's names. null if native_sidecar is true or
    announce_with is "exectrail": either needs more than a container block. Use containers,
    init_containers, volumes and volume_mounts then, in dynamic blocks.
  EOT
  value       = var.native_sidecar || local.mounts_program ? null : local.sidecar
}

output "containers" {
  description = "Containers to add to the pod: the sidecar, unless it is a native one."
  value       = var.native_sidecar ? [] : [local.sidecar]
}

output "init_containers" {
  description = <<-EOT
    Init containers to add to the pod: the native sidecar, and the container that copies exectrail
    to a volume if announce_with is "exectrail".
  EOT
  value = concat(
    local.mounts_program ? [local.installer] : [],
    var.native_sidecar ? [local.sidecar] : [],
  )
}

output "volumes" {
  description = "Empty directories to add to the pod as volumes."
  value = concat(
    [{ name = "exectrail-state" }],
    local.mounts_program ? [{ name = "exectrail" }] : [],
  )
}

output "label_volumes" {
  description = <<-EOT
    Volumes of the downward API to add to the pod, with labels_from_pod. Only the sidecar mounts
    them.
  EOT
  value = local.reads_pod_labels ? [{
    name = "exectrail-labels"
    items = [
      { path = "labels", field_path = "metadata.labels" },
      { path = "annotations", field_path = "metadata.annotations" },
    ]
  }] : []
}

output "volume_mounts" {
  description = "Mounts to add to the workspace's container."
  value = local.mounts_program ? [
    { name = "exectrail", mount_path = local.mount_path, read_only = true },
  ] : []
}

output "fit_nodes" {
  description = <<-EOT
    For the node_selector of the pod: the label that templates/node-check puts on nodes on which
    exectrail can trace.
  EOT
  value       = { "exectrail.feature.node.kubernetes.io/fit" = "true" }
}
