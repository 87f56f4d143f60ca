# Names, labels and annotations of the workspace, and envbox's variables and mounts.

locals {
  # Made of the workspace's id: names that users choose may not be valid names in Kubernetes.
  name = "coder-${data.coder_workspace.me.id}"

  # Kubernetes limits the length and the characters of label values, so names are changed to fit.
  unfit = "/[^A-Za-z0-9_.-]+/"
  workspace_label = trim(
    substr(replace(data.coder_workspace.me.name, local.unfit, "-"), 0, 63),
    "-_.",
  )
  user_label = trim(
    substr(replace(data.coder_workspace_owner.me.name, local.unfit, "-"), 0, 63),
    "-_.",
  )

  labels = {
    "app.kubernetes.io/name"     = "coder-workspace"
    "app.kubernetes.io/instance" = local.name
    "app.kubernetes.io/part-of"  = "coder"
    "com.coder.resource"         = "true"
    "com.coder.workspace.id"     = data.coder_workspace.me.id
    "com.coder.workspace.name"   = local.workspace_label
    "com.coder.user.id"          = data.coder_workspace_owner.me.id
    "com.coder.user.username"    = local.user_label
  }

  # Unlike labels, annotations can have any text.
  annotations = {
    "com.coder.workspace.name" = data.coder_workspace.me.name
    "com.coder.user.username"  = data.coder_workspace_owner.me.name
    "com.coder.user.email"     = data.coder_workspace_owner.me.email
  }

  node_selector = merge(
    var.node_selector,
    { for key, value in module.exectrail.fit_nodes : key => value if var.only_fit_nodes },
  )

  # The workspace's name, changed to a valid host name.
  hostname = trim(
    substr(replace(lower(data.coder_workspace.me.name), "/[^a-z0-9-]+/", "-"), 0, 63),
    "-",
  )

  # Variables of envbox. The kubelet turns $$ in a value into $, so every $ in the script is
  # doubled.
  envbox_env = {
    CODER_AGENT_TOKEN      = coder_agent.main.token
    CODER_AGENT_URL        = data.coder_workspace.me.access_url
    CODER_BOOTSTRAP_SCRIPT = replace(coder_agent.main.init_script, "$", "$$")
    CODER_INNER_IMAGE      = var.workspace_image
    CODER_INNER_USERNAME   = var.workspace_user
    CODER_INNER_HOSTNAME   = local.hostname == "" ? "workspace" : local.hostname
    CODER_MOUNTS           = "/home/coder:/home/coder"
    CODER_ADD_TUN          = tostring(var.create_tun)
    CODER_ADD_FUSE         = tostring(var.create_fuse)
  }

  # Directories of the container, and their paths on the home volume.
  home_mounts = {
    "/home/coder"               = "home"
    "/var/lib/coder/docker"     = "cache/docker"
    "/var/lib/coder/containers" = "cache/containers"
    "/var/lib/containers"       = "envbox/containers"
    "/var/lib/docker"           = "envbox/docker"
  }
}
