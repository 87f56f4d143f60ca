# What the template's owner sets.

variable "use_kubeconfig" {
  type        = bool
  default     = false
  description = "Whether to use ~/.kube/config of the Coder host. false where Coder runs in the cluster that workspaces go to."
}

variable "namespace" {
  type        = string
  description = "The Kubernetes namespace of workspaces. It must exist, and its Pod Security level be \"privileged\": a lower one forbids the sidecar's two capabilities."
}

variable "workspace_image" {
  type        = string
  default     = "codercom/enterprise-base:ubuntu"
  description = "The image of workspaces."
}

variable "exectrail_image" {
  type        = string
  description = "The exectrail image, with its tag or digest."
}

variable "native_sidecar" {
  type        = bool
  default     = false
  description = "Whether exectrail is a native sidecar, which starts before the workspace and stops after it. Needs Kubernetes 1.29."
}

variable "announce_with" {
  type        = string
  default     = "curl"
  description = "What the workspace announces itself with: \"curl\" of its image, or \"exectrail\", mounted."
}

variable "hold_seconds" {
  type        = number
  default     = 0
  description = "End the workspace once exectrail has not answered for this many seconds; 0 lets it go on. Needs announce_with = \"exectrail\"; 300 is a careful value."
}

variable "redact" {
  type        = string
  default     = "known"
  description = "Which secrets in command lines are written as [redacted]: \"known\" formats and names, all \"values\" of options and variables, or \"off\"."
}

variable "kernel_before_5_11" {
  type        = bool
  default     = false
  description = "Whether nodes have Linux 5.8 to 5.10."
}

variable "selinux_type" {
  type        = string
  default     = null
  description = "SELinux type of exectrail's container: \"spc_t\" on nodes that enforce SELinux (OpenShift, RHEL, Fedora), else null."
}

variable "only_fit_nodes" {
  type        = bool
  default     = false
  description = "Whether workspaces go only to nodes on which exectrail can trace, as templates/node-check labels them."
}

variable "node_selector" {
  type        = map(string)
  default     = {}
  description = "Labels of the nodes that workspaces go to."
}

# What the workspace's user chooses.

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
    min = 1
    max = 512
  }
}

data "coder_parameter" "home_disk_size" {
  name         = "home_disk_size"
  display_name = "Home disk"
  description  = "GiB; cannot be changed later"
  type         = "number"
  default      = 10
  icon         = "/emojis/1f4be.png"
  mutable      = false
  validation {
    min = 1
    max = 10000
  }
}
