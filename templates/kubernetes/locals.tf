# Names, labels and annotations of the workspace.

locals {
  # Made of the workspace's id: names that users choose may not be valid names in Kubernetes.
  name = "coder-${data.coder_workspace.me.id}"

  selector = {
    "app.kubernetes.io/name"     = "coder-workspace"
    "app.kubernetes.io/instance" = local.name
  }

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

  labels = merge(local.selector, {
    "app.kubernetes.io/part-of" = "coder"
    "com.coder.resource"        = "true"
    "com.coder.workspace.id"    = data.coder_workspace.me.id
    "com.coder.workspace.name"  = local.workspace_label
    "com.coder.user.id"         = data.coder_workspace_owner.me.id
    "com.coder.user.username"   = local.user_label
  })

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
}
