# The command that starts the workspace.

variable "script" {
  description = <<-EOT
    What starts the workspace once it is traced, a shell script: coder_agent.main.init_script, or
    "exec /envbox docker". The container ends with its exit status.
  EOT
  type        = string

  validation {
    condition     = length(trimspace(var.script)) > 0
    error_message = <<-EOT
      script is empty: without it the workspace would announce itself and end. Give what its
      container would start without exectrail, such as coder_agent.main.init_script.
    EOT
  }
}

variable "scripts" {
  description = <<-EOT
    What starts further containers of the pod once they are traced, each by a name of your choice,
    such as { tools = coder_agent.tools.init_script }. One sidecar traces all of the pod; the output
    init_scripts has what is to be the command of each.
  EOT
  type        = map(string)
  default     = {}

  validation {
    condition = alltrue([
      for name, script in var.scripts : length(name) > 0 && length(trimspace(script)) > 0
    ])
    error_message = <<-EOT
      scripts: a name or a script is empty. Give each further container a name and what it would
      start without exectrail, such as { tools = coder_agent.tools.init_script }.
    EOT
  }
}

# Labels: whose workspace it is.

variable "labels" {
  description = <<-EOT
    Put on every line of the log, at most 4,000 bytes in all. A value may be any text. The five keys
    that exectrace's users know are workspace_id, workspace_name, user_id, username and user_email.
  EOT
  type        = map(string)
  default     = {}

  validation {
    condition = alltrue([
      for key, value in var.labels : length(regexall("^[^=[:space:]]+$", key)) > 0
    ])
    error_message = <<-EOT
      labels: a key is empty, or has "=" or white space in it. Keys are names such as workspace_id;
      values may be any text.
    EOT
  }
}

variable "labels_from_pod" {
  description = <<-EOT
    Labels of the log whose values are labels and annotations of the pod. Give the name of each and
    the pod's key, such as { username = "com.coder.user.username" }. If a value changes in the pod,
    it changes in the log. These labels take precedence over var.labels. If the pod has a label and
    an annotation with the same key, the annotation counts. The pod needs the volumes of the output
    label_volumes.
  EOT
  type        = map(string)
  default     = {}

  validation {
    condition = alltrue([
      for name, key in var.labels_from_pod :
      length(regexall("^[^=[:space:]]+=[^=[:space:]]+$", "${name}=${key}")) > 0
    ])
    error_message = <<-EOT
      labels_from_pod: a name or key is empty, or has "=" or white space in it. Give the names of
      labels, and keys of the pod's labels or annotations, such as com.coder.user.username.
    EOT
  }
}

# The content of the log.

variable "redact" {
  description = <<-EOT
    Which secrets in command lines are written as [redacted]. "known": known token formats, and
    values whose name says that they are secrets. "values": also every other value of an option or
    variable. "off": none. See docs/secrets.md.
  EOT
  type        = string
  default     = "known"

  validation {
    condition     = contains(["off", "known", "values"], var.redact)
    error_message = "redact is none of off, known and values."
  }
}

# The image.

variable "image" {
  description = "The exectrail image, with its tag or digest."
  type        = string

  validation {
    condition     = length(regexall("^[^[:space:]]+$", var.image)) > 0
    error_message = <<-EOT
      image is empty or has white space in it. Give the exectrail image that your cluster pulls,
      with tag or digest.
    EOT
  }
}

variable "image_pull_policy" {
  description = "When the cluster pulls the image: Always, IfNotPresent or Never."
  type        = string
  default     = "IfNotPresent"

  validation {
    condition     = contains(["Always", "IfNotPresent", "Never"], var.image_pull_policy)
    error_message = "image_pull_policy is none of Always, IfNotPresent and Never."
  }
}

# The announcement.

variable "native_sidecar" {
  description = <<-EOT
    Make the sidecar a native one, an init container that goes on running. The sidecar then starts
    before the workspace, and stops after the workspace. Needs Kubernetes 1.29 (stable in 1.33), and
    the kubernetes provider 3.0.
  EOT
  type        = bool
  default     = false
}

variable "announce_with" {
  description = <<-EOT
    What the workspace announces itself with. "curl": curl of its image, else wget. "exectrail":
    exectrail itself, which an init container copies to a volume; the image needs only sh.
  EOT
  type        = string
  default     = "curl"

  validation {
    condition     = contains(["curl", "exectrail"], var.announce_with)
    error_message = <<-EOT
      announce_with is neither "curl" (curl or wget of the workspace's image) nor "exectrail" (the
      program itself, mounted).
    EOT
  }
}

variable "announce_timeout_seconds" {
  description = <<-EOT
    How long the workspace waits for exectrail. A sidecar's image may have to be pulled first.
  EOT
  type        = number
  default     = 900

  validation {
    condition = (
      var.announce_timeout_seconds >= 1 && var.announce_timeout_seconds <= 86400 &&
      floor(var.announce_timeout_seconds) == var.announce_timeout_seconds
    )
    error_message = <<-EOT
      announce_timeout_seconds is not a whole number of seconds from 1 to 86400, a day.
    EOT
  }
}

variable "hold_seconds" {
  description = <<-EOT
    End the workspace once exectrail has not answered for this many seconds; 0, the default, never
    ends the workspace. Needs announce_with = "exectrail". A restart of exectrail takes seconds, and
    minutes where its image has to be pulled. With 300, a restart that takes less than five minutes
    does not end the workspace.
  EOT
  type        = number
  default     = 0

  validation {
    condition = (
      var.hold_seconds >= 0 && var.hold_seconds <= 86400 &&
      floor(var.hold_seconds) == var.hold_seconds
    )
    error_message = "hold_seconds is not a whole number of seconds from 0 (off) to 86400, a day."
  }
}

variable "init_address" {
  description = <<-EOT
    Where the sidecar listens for the workspace, ADDRESS:PORT; localhost is 127.0.0.1. The pod has
    one loopback for all its containers; nobody else reaches it.
  EOT
  type        = string
  default     = "127.0.0.1:56123"

  validation {
    # A number in an IPv4 address is at most 255. The port is 1 to 65535: with 0 the sidecar would
    # choose a port that the workspace does not know.
    condition = length(regexall(
      join("", [
        "^(localhost|((25[0-5]|2[0-4][0-9]|1?[1-9]?[0-9]|10[0-9])(\\.(25[0-5]|2[0-4][0-9]|",
        "1?[1-9]?[0-9]|10[0-9])){3})|\\[[0-9a-fA-F:.]+\\]):([1-9][0-9]{0,3}|[1-5][0-9]{4}|",
        "6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])$",
      ]),
      var.init_address,
    )) > 0
    error_message = <<-EOT
      init_address is not ADDRESS:PORT with a numeric address or localhost and a port from 1 to
      65535, such as 127.0.0.1:56123, [::1]:56123 or localhost:56123.
    EOT
  }
}

# The sidecar's privileges and resources.

variable "kernel_before_5_11" {
  description = <<-EOT
    Whether nodes have Linux 5.8 to 5.10. There the sidecar also needs the capability SYS_RESOURCE.
  EOT
  type        = bool
  default     = false
}

variable "selinux_type" {
  description = <<-EOT
    SELinux type of the sidecar, "spc_t" where SELinux is enforced: on OpenShift, RHEL and Fedora
    nodes a container's own type may not use bpf(2). null, the default, leaves it to the node.
  EOT
  type        = string
  default     = null

  validation {
    condition = var.selinux_type == null ? true : (
      length(regexall("^[A-Za-z0-9_.-]+$", var.selinux_type)) > 0
    )
    error_message = <<-EOT
      selinux_type is no name of an SELinux type. Give one such as spc_t, or null for the node's
      default.
    EOT
  }
}

variable "resources" {
  description = <<-EOT
    Resources of the sidecar. The memory limit must hold the ring buffer (4 MiB unless --ring-bytes
    says otherwise) and 32 MiB. On a node with more than 64 CPUs, add 37 KiB for each of its CPUs,
    or 73 KiB on Linux 5.11 to 5.19, where the container also pays for per-CPU memory. A CPU limit
    makes losses likelier: a sidecar that is held up does not empty the ring.
  EOT
  type = object({
    requests = map(string)
    limits   = map(string)
  })
  default = {
    requests = { cpu = "10m", memory = "32Mi" }
    limits   = { memory = "64Mi" }
  }
}

variable "args" {
  description = <<-EOT
    More flags of exectrail, such as ["--max-argv-bytes=1MiB"]; see exectrail --help.
  EOT
  type        = list(string)
  default     = []

  validation {
    condition = alltrue([
      for arg in var.args :
      length(regexall("^--(init-address|label(-file(-key)?)?|redact|state-dir)(=|$)", arg)) == 0
    ])
    error_message = <<-EOT
      args sets --init-address, --label, --label-file, --label-file-key, --redact or --state-dir.
      The module sets them: give init_address, labels, labels_from_pod and redact instead. It always
      sets --state-dir itself.
    EOT
  }
}
