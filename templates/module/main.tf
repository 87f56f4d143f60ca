# exectrail in a workspace's pod: the sidecar, and what the workspace's container needs.
# Any template can use it; nothing in it depends on a provider.

terraform {
  required_version = ">= 1.3"
}

locals {
  program = "/usr/bin/exectrail"

  # localhost means 127.0.0.1, as it does in the program. An image's /etc/hosts may have only ::1
  # for it, so clients in the workspace get the number.
  init_address = replace(var.init_address, "/^localhost:/", "127.0.0.1:")

  # In scripts the address is written 127.0.0.''1, which the shell reads as 127.0.0.1. It must not
  # be written 127.0.0.1, because Coder's template for dev containers replaces that, and localhost,
  # with another host everywhere in a script.
  address_in_scripts = replace(local.init_address, "127.0.0.1", "127.0.0.''1")

  # Where the program is mounted in the workspace's container, with announce_with = "exectrail".
  mount_path = "/opt/exectrail"

  # Where the sidecar keeps its state, which survives a restart, in a volume that nothing else
  # mounts.
  state_path = "/var/lib/exectrail"

  mounts_program = var.announce_with == "exectrail"

  # Where the sidecar has the pod's labels and annotations, which the kubelet keeps up to date.
  labels_path = "/etc/podinfo"

  reads_pod_labels = length(var.labels_from_pod) > 0

  label_mount = { name = "exectrail-labels", mount_path = local.labels_path, read_only = true }

  holds = var.hold_seconds > 0

  # init.sh with the settings of this module. Each text to be replaced is there exactly once.
  init_sh = replace(
    replace(
      replace(
        file("${path.module}/init.sh"),
        "address='127.0.0.1:56123'",
        "address='${local.address_in_scripts}'",
      ),
      "patience='900'",
      "patience='${var.announce_timeout_seconds}'",
    ),
    "clients='curl wget announce'",
    local.mounts_program ? "clients='announce curl wget'" : "clients='curl wget announce'",
  )

  # hold.sh with the same settings. The script that it starts is inserted below.
  hold_sh = replace(
    replace(
      replace(
        file("${path.module}/hold.sh"),
        "address='127.0.0.1:56123'",
        "address='${local.address_in_scripts}'",
      ),
      "patience='900'",
      "patience='${var.announce_timeout_seconds}'",
    ),
    "hold='60'",
    "hold='${var.hold_seconds}'",
  )

  # The script of each container, by its name in var.scripts; var.script has the name "". hold.sh
  # gets the script as one quoted argument.
  #
  # In commands, arguments and variables, the kubelet replaces $(NAME), and $$ by $. So every $ is
  # doubled here, and the container gets the text as it was written.
  init_scripts = {
    for name, script in merge(var.scripts, { "" = var.script }) : name => replace(
      local.holds ? replace(
        local.hold_sh,
        "'script'",
        "'${replace(script, "'", "'\\''")}'",
      ) : "${local.init_sh}\n${script}",
      "$",
      "$$",
    )
  }

  # The announcement without a shell: words that precede a container's command.
  announce_command = concat(
    [
      "${local.mount_path}/exectrail",
      "announce",
      "--init-address=${local.init_address}",
      "--timeout=${var.announce_timeout_seconds}s",
    ],
    local.holds ? ["--hold=${var.hold_seconds}s"] : [],
    ["--exec", "--"],
  )

  label_args = [for key, value in var.labels : replace("--label=${key}=${value}", "$", "$$")]

  # Length of the labels in JSON without escapes, in bytes, exact to within two. It is computed from
  # their base64, which has four characters for three bytes.
  labels_bytes = floor(
    length(base64encode(join("", [for key, value in var.labels : "'${key}':'${value}',"]))) * 3 / 4
  )
  sets_line_length = length([for arg in var.args : arg if startswith(arg, "--max-line-bytes")]) > 0

  label_file_args = local.reads_pod_labels ? concat(
    ["--label-file=${local.labels_path}/labels", "--label-file=${local.labels_path}/annotations"],
    [for name, key in var.labels_from_pod : replace("--label-file-key=${name}=${key}", "$", "$$")],
  ) : []

  # Variables of the sidecar whose values are fields of the pod.
  env_from_fields = [{ name = "EXECTRAIL_NODE", field_path = "spec.nodeName" }]

  capabilities = concat(["BPF", "PERFMON"], var.kernel_before_5_11 ? ["SYS_RESOURCE"] : [])

  # The sidecar is root in its container, because Kubernetes gives added capabilities only to root.
  # It has no other privilege.
  sidecar_security_context = {
    run_as_user                = 0
    run_as_group               = 0
    run_as_non_root            = false
    privileged                 = false
    allow_privilege_escalation = false
    read_only_root_filesystem  = true
    add_capabilities           = local.capabilities
    se_linux_options           = var.selinux_type == null ? [] : [{ type = var.selinux_type }]
  }

  sidecar = {
    name              = "exectrail"
    image             = var.image
    image_pull_policy = var.image_pull_policy
    command           = [local.program]
    args = concat(
      ["--init-address=${local.init_address}", "--state-dir=${local.state_path}"],
      var.redact == "off" ? [] : ["--redact=${var.redact}"],
      local.label_args,
      local.label_file_args,
      var.args,
    )
    env_from_fields  = local.env_from_fields
    restart_policy   = var.native_sidecar ? "Always" : null
    security_context = local.sidecar_security_context
    resources        = var.resources
    volume_mounts = concat(
      [{ name = "exectrail-state", mount_path = local.state_path, read_only = false }],
      local.reads_pod_labels ? [local.label_mount] : [],
    )

    # Three minutes are enough on a busy node. The workspace starts once this probe succeeds. An
    # ordinary sidecar has no probe: the workspace waits for the answer to its announcement instead.
    startup_probes = var.native_sidecar ? [{
      command           = [local.program, "ready", "--init-address=${local.init_address}"]
      period_seconds    = 1
      timeout_seconds   = 2
      failure_threshold = 180
    }] : []
  }

  # Copies the program to the volume that the workspace mounts. It needs no privilege at all.
  installer = {
    name              = "exectrail-install"
    image             = var.image
    image_pull_policy = var.image_pull_policy
    command           = [local.program]
    args              = ["install", local.mount_path]
    env_from_fields   = []
    restart_policy    = null
    security_context = {
      run_as_user                = 65532
      run_as_group               = 65532
      run_as_non_root            = true
      privileged                 = false
      allow_privilege_escalation = false
      read_only_root_filesystem  = true
      add_capabilities           = []
      se_linux_options           = []
    }
    resources = {
      requests = { cpu = "10m", memory = "16Mi" }
      limits   = { memory = "64Mi" }
    }
    volume_mounts  = [{ name = "exectrail", mount_path = local.mount_path, read_only = false }]
    startup_probes = []
  }
}
