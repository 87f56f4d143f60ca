# Names, labels and annotations of the workspace, and envbuilder's variables.

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

  # envbuilder's variables. Of these, the agent gets only Coder's own. The kubelet turns $$ in a
  # value into $, so every $ is doubled here.
  envbuilder_env = {
    for name, value in {
      CODER_AGENT_TOKEN                     = coder_agent.main.token
      CODER_AGENT_URL                       = data.coder_workspace.me.access_url
      ENVBUILDER_GIT_URL                    = data.coder_parameter.repo.value
      ENVBUILDER_GIT_SSH_PRIVATE_KEY_BASE64 = local.ssh_key
      ENVBUILDER_INIT_SCRIPT                = coder_agent.main.init_script
      ENVBUILDER_FALLBACK_IMAGE             = var.fallback_image
      ENVBUILDER_CACHE_REPO                 = var.cache_repo
      ENVBUILDER_DOCKER_CONFIG_BASE64       = var.docker_config_base64

      # envbuilder's default paths, and the mount of exectrail. During the build, envbuilder
      # unmounts read-only mounts on other paths. An unprivileged container is not allowed to do
      # that.
      ENVBUILDER_IGNORE_PATHS = join(",", concat(
        ["/var/run", "/product_uuid", "/product_name"],
        [for mount in module.exectrail.volume_mounts : mount.mount_path],
      ))
    } : name => replace(value, "$", "$$")
  }

  ssh_key = base64encode(data.coder_workspace_owner.me.ssh_private_key)
}
