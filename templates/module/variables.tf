# What starts the workspace.

variable "script" {
  type        = string
  description = "What starts the workspace once it is traced, a shell script: coder_agent.main.init_script, or \"exec /envbox docker\". It keeps its exit status."

  validation {
    condition     = length(trimspace(var.script)) > 0
    error_message = "script is empty: without it the workspace would announce itself and end. Give what its container would start without exectrail, such as coder_agent.main.init_script."
  }
}

# Whose workspace it is.

variable "labels" {
  type        = map(string)
  default     = {}
  description = "Put on every line of the log. Any text; the five that exectrace's users know are workspace_id, workspace_name, user_id, username and user_email."

  validation {
    condition     = alltrue([for key, value in var.labels : length(regexall("^[^=[:space:]]+$", key)) > 0])
    error_message = "labels: a key is empty, or has \"=\" or white space in it. Keys are names such as workspace_id; values may be any text."
  }
}

variable "labels_from_pod" {
  type        = map(string)
  default     = {}
  description = "Labels of the log that have the values of the pod's own labels and annotations, also after these have changed: name and key, such as { username = \"com.coder.user.username\" }. They take precedence over labels, and annotations over labels of the same key. The pod needs the volumes of the output label_volumes."

  validation {
    condition     = alltrue([for name, key in var.labels_from_pod : length(regexall("^[^=[:space:]]+$", name)) > 0 && length(regexall("^[^=[:space:]]+$", key)) > 0])
    error_message = "labels_from_pod: a name or key is empty, or has \"=\" or white space in it. Give the names of labels, and keys of the pod's labels or annotations, such as com.coder.user.username."
  }
}

# What the log shows.

variable "redact" {
  type        = string
  default     = "known"
  description = "Which secrets in command lines are written as [redacted]. \"known\": known token formats, and values whose name says that they are secrets. \"values\": also every other value of an option or variable. \"off\": none. See docs/secrets.md."

  validation {
    condition     = contains(["off", "known", "values"], var.redact)
    error_message = "redact is none of off, known and values."
  }
}

# The image.

variable "image" {
  type        = string
  description = "The exectrail image, with its tag or digest."

  validation {
    condition     = length(regexall("^[^[:space:]]+$", var.image)) > 0
    error_message = "image is empty or has white space in it. Give the exectrail image that your cluster pulls, with tag or digest."
  }
}

variable "image_pull_policy" {
  type        = string
  default     = "IfNotPresent"
  description = "When the cluster pulls the image: Always, IfNotPresent or Never."

  validation {
    condition     = contains(["Always", "IfNotPresent", "Never"], var.image_pull_policy)
    error_message = "image_pull_policy is none of Always, IfNotPresent and Never."
  }
}

# How workspace and sidecar meet.

variable "native_sidecar" {
  type        = bool
  default     = false
  description = "Make the sidecar a native one, an init container that goes on running: it is there before the workspace starts and stops after it. Needs Kubernetes 1.29 (stable in 1.33), and the kubernetes provider 3.0."
}

variable "announce_with" {
  type        = string
  default     = "curl"
  description = "What the workspace announces itself with. \"curl\": curl of its image, else wget. \"exectrail\": exectrail itself, which an init container copies to a volume; nothing is asked of the image but sh."

  validation {
    condition     = contains(["curl", "exectrail"], var.announce_with)
    error_message = "announce_with is neither \"curl\" (curl or wget of the workspace's image) nor \"exectrail\" (the program itself, mounted)."
  }
}

variable "announce_timeout_seconds" {
  type        = number
  default     = 900
  description = "How long the workspace waits for exectrail. A sidecar's image may have to be pulled first."

  validation {
    condition     = var.announce_timeout_seconds >= 1 && floor(var.announce_timeout_seconds) == var.announce_timeout_seconds
    error_message = "announce_timeout_seconds is not a whole number of seconds, 1 or more."
  }
}

variable "hold_seconds" {
  type        = number
  default     = 0
  description = "End the workspace once exectrail has not answered for this many seconds; 0, the default, lets it go on. Needs announce_with = \"exectrail\". A restart of exectrail takes seconds, and minutes where its image has to be pulled: 300 is a careful value."

  validation {
    condition     = var.hold_seconds >= 0 && floor(var.hold_seconds) == var.hold_seconds
    error_message = "hold_seconds is not a whole number of seconds, 0 (off) or more."
  }
}

variable "init_address" {
  type        = string
  default     = "127.0.0.1:56123"
  description = "Where the sidecar listens for the workspace, ADDRESS:PORT. The pod has one loopback for all its containers; nobody else reaches it."

  validation {
    condition     = length(regexall("^([0-9]{1,3}(\\.[0-9]{1,3}){3}|\\[[0-9a-fA-F:.]+\\]):[0-9]{1,5}$", var.init_address)) > 0
    error_message = "init_address is not ADDRESS:PORT with a numeric address, such as 127.0.0.1:56123 or [::1]:56123."
  }
}

# What the sidecar may and what it takes.

variable "kernel_before_5_11" {
  type        = bool
  default     = false
  description = "Whether nodes have Linux 5.8 to 5.10. There the sidecar also needs the capability SYS_RESOURCE."
}

variable "selinux_type" {
  type        = string
  default     = null
  description = "SELinux type of the sidecar, \"spc_t\" where SELinux is enforced: on OpenShift, RHEL and Fedora nodes a container's own type must not use bpf(2). null, the default, leaves it to the node."

  validation {
    condition     = var.selinux_type == null ? true : length(regexall("^[A-Za-z0-9_.-]+$", var.selinux_type)) > 0
    error_message = "selinux_type is no name of an SELinux type. Give one such as spc_t, or null for the node's default."
  }
}

variable "resources" {
  type = object({
    requests = map(string)
    limits   = map(string)
  })
  default = {
    requests = { cpu = "10m", memory = "32Mi" }
    limits   = { memory = "64Mi" }
  }
  description = "Resources of the sidecar. The memory limit must hold the ring buffer (4 MiB unless --ring-bytes says otherwise) and 32 MiB, and on nodes with more than 64 CPUs 12 KiB for each CPU. A CPU limit makes losses likelier: a sidecar that is held up does not empty the ring."
}

variable "args" {
  type        = list(string)
  default     = []
  description = "More flags of exectrail, such as [\"--max-argv-bytes=1MiB\"]; see exectrail --help."

  validation {
    condition     = alltrue([for arg in var.args : !startswith(arg, "--init-address") && !startswith(arg, "--label")])
    error_message = "args sets --init-address or --label. The module sets them, from init_address and labels: the workspace must know the same address."
  }
}
