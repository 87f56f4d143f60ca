# Variables, which the template's owner sets.

variable "use_kubeconfig" {
  description = <<-EOT
    Whether to use ~/.kube/config of the Coder host. false where Coder runs in the cluster that
    workspaces go to.
  EOT
  type        = bool
  default     = false
}

variable "namespace" {
  description = <<-EOT
    The Kubernetes namespace of workspaces. It must exist, and its Pod Security level must be
    "privileged": a stricter one forbids the sidecar's capabilities.
  EOT
  type        = string
}

variable "envbuilder_image" {
  description = <<-EOT
    The envbuilder image. Pin it to a release: latest moves. An image that envbuilder has built and
    pushed is possible as well, because it also has /.envbuilder/bin/envbuilder.
  EOT
  type        = string
  default     = "ghcr.io/coder/envbuilder:latest"
}

variable "fallback_image" {
  description = "The image of workspaces whose dev container cannot be built."
  type        = string
  default     = "codercom/enterprise-base:ubuntu"
}

variable "cache_repo" {
  description = "A repository of your registry in which envbuilder caches layers; \"\" for none."
  type        = string
  default     = ""
}

variable "docker_config_base64" {
  description = <<-EOT
    Docker's config.json for envbuilder's registries, in base64; "" for none. Users can read it, so
    it must give no right that they may not have.
  EOT
  type        = string
  default     = ""
  sensitive   = true
}

variable "privileged" {
  description = <<-EOT
    Whether the workspace's container is privileged, as Docker in a dev container needs it. Its root
    is then root of the node, and can stop exectrail.
  EOT
  type        = bool
  default     = false
}

variable "exectrail_image" {
  description = "The exectrail image, with its tag or digest."
  type        = string
}

variable "native_sidecar" {
  description = <<-EOT
    Whether exectrail is a native sidecar, which starts before the workspace and stops after it.
    Needs Kubernetes 1.29.
  EOT
  type        = bool
  default     = false
}

variable "hold_seconds" {
  description = <<-EOT
    End the workspace once exectrail has not answered for this many seconds; 0 never ends the
    workspace. With 300, a restart of exectrail that takes less than five minutes does not end the
    workspace.
  EOT
  type        = number
  default     = 0
}

variable "redact" {
  description = <<-EOT
    Which secrets in command lines are written as [redacted]. "known": known token formats, and
    values with a name that says that they are secret. "values": every value of an option or a
    variable, too. "off": none.
  EOT
  type        = string
  default     = "known"
}

variable "kernel_before_5_11" {
  description = "Whether nodes have Linux 5.8 to 5.10."
  type        = bool
  default     = false
}

variable "selinux_type" {
  description = <<-EOT
    SELinux type of exectrail's container: "spc_t" on nodes that enforce SELinux (OpenShift, RHEL,
    Fedora), else null.
  EOT
  type        = string
  default     = null
}

variable "only_fit_nodes" {
  description = <<-EOT
    Whether workspaces go only to nodes on which exectrail can trace, as templates/node-check labels
    them.
  EOT
  type        = bool
  default     = false
}

variable "node_selector" {
  description = "Labels of the nodes that workspaces go to."
  type        = map(string)
  default     = {}
}

# Parameters, which the workspace's user chooses.

data "coder_parameter" "repo" {
  name         = "repo"
  display_name = "Repository"
  description  = "The repository with the dev container, which is cloned to /workspaces"
  type         = "string"
  default      = "https://github.com/coder/envbuilder-starter-devcontainer"
  icon         = "/icon/git.svg"
  mutable      = true
}

data "coder_parameter" "cpu" {
  name         = "cpu"
  display_name = "CPU"
  description  = "Cores"
  type         = "number"
  default      = 2
  icon         = "/icon/memory.svg"
  mutable      = true
  validation {
    min = 1
    max = 64
  }
}

data "coder_parameter" "memory" {
  name         = "memory"
  display_name = "Memory"
  description  = "GiB"
  type         = "number"
  default      = 4
  icon         = "/icon/memory.svg"
  mutable      = true
  validation {
    min = 2
    max = 512
  }
}

data "coder_parameter" "workspaces_disk_size" {
  name         = "workspaces_disk_size"
  display_name = "Disk of /workspaces"
  description  = "GiB, for the repositories; cannot be changed later"
  type         = "number"
  default      = 10
  icon         = "/emojis/1f4be.png"
  mutable      = false
  validation {
    min = 1
    max = 10000
  }
}
