# A Coder workspace with Docker in it, by envbox. exectrail records every exec in envbox's own
# container and in the workspace. It also records every exec in the containers that are started in
# the workspace.
#
# What exectrail adds to an ordinary template:
# - the module
# - two dynamic blocks of containers
# - two dynamic volumes
# - a dynamic mount
# - a dynamic env
# - labels of fit nodes in the node selector
# - the annotation of the default container
# - the command of envbox's container
#
# envbox's container announces itself, because its PID namespace is above all others.

terraform {
  required_version = ">= 1.3"
  required_providers {
    coder = {
      source  = "coder/coder"
      version = ">= 2.0, < 3.0"
    }
    kubernetes = {
      source  = "hashicorp/kubernetes"
      version = ">= 3.0, < 4.0"
    }
  }
}

provider "coder" {}

provider "kubernetes" {
  config_path = var.use_kubeconfig ? "~/.kube/config" : null
}

data "coder_workspace" "me" {}
data "coder_workspace_owner" "me" {}

module "exectrail" {
  source = "git::https://github.com/exectrail/exectrail.git//templates/module?ref=v0.1.0"

  image              = var.exectrail_image
  script             = "exec /envbox docker"
  native_sidecar     = var.native_sidecar
  announce_with      = var.announce_with
  hold_seconds       = var.hold_seconds
  redact             = var.redact
  kernel_before_5_11 = var.kernel_before_5_11
  selinux_type       = var.selinux_type

  labels = {
    workspace_id   = data.coder_workspace.me.id
    workspace_name = data.coder_workspace.me.name
    user_id        = data.coder_workspace_owner.me.id
    username       = data.coder_workspace_owner.me.name
    user_email     = data.coder_workspace_owner.me.email
  }

  # These labels are read from the pod, because they can change: a prebuilt workspace gets its
  # owner's name when it is claimed.
  labels_from_pod = {
    workspace_name = "com.coder.workspace.name"
    user_id        = "com.coder.user.id"
    username       = "com.coder.user.username"
    user_email     = "com.coder.user.email"
  }
}

resource "kubernetes_persistent_volume_claim_v1" "home" {
  wait_until_bound = false

  metadata {
    name        = "${local.name}-home"
    namespace   = var.namespace
    labels      = local.labels
    annotations = local.annotations
  }

  spec {
    access_modes = ["ReadWriteOnce"]
    resources {
      requests = {
        storage = "${data.coder_parameter.home_disk_size.value}Gi"
      }
    }
  }
}

resource "kubernetes_pod_v1" "main" {
  count = data.coder_workspace.me.start_count

  # When a prebuilt workspace is claimed, names in its spec change, which would replace the pod.
  # exectrail reads the owner from labels and annotations, which change in place.
  lifecycle {
    ignore_changes = [spec]
  }

  metadata {
    name      = local.name
    namespace = var.namespace
    labels    = local.labels
    annotations = merge(local.annotations, {
      "kubectl.kubernetes.io/default-container" = "workspace"
    })
  }

  spec {
    restart_policy                  = "Never"
    automount_service_account_token = false
    node_selector                   = local.node_selector

    dynamic "init_container" {
      for_each = module.exectrail.init_containers
      content {
        name              = init_container.value.name
        image             = init_container.value.image
        image_pull_policy = init_container.value.image_pull_policy
        command           = init_container.value.command
        args              = init_container.value.args
        restart_policy    = init_container.value.restart_policy

        dynamic "env" {
          for_each = init_container.value.env_from_fields
          content {
            name = env.value.name
            value_from {
              field_ref {
                field_path = env.value.field_path
              }
            }
          }
        }

        security_context {
          run_as_user                = init_container.value.security_context.run_as_user
          run_as_group               = init_container.value.security_context.run_as_group
          run_as_non_root            = init_container.value.security_context.run_as_non_root
          privileged                 = init_container.value.security_context.privileged
          allow_privilege_escalation = false
          read_only_root_filesystem  = true
          capabilities {
            drop = ["ALL"]
            add  = init_container.value.security_context.add_capabilities
          }
          seccomp_profile {
            type = "RuntimeDefault"
          }
          dynamic "se_linux_options" {
            for_each = init_container.value.security_context.se_linux_options
            content {
              type = se_linux_options.value.type
            }
          }
        }

        resources {
          requests = init_container.value.resources.requests
          limits   = init_container.value.resources.limits
        }

        dynamic "startup_probe" {
          for_each = init_container.value.startup_probes
          content {
            exec {
              command = startup_probe.value.command
            }
            period_seconds    = startup_probe.value.period_seconds
            timeout_seconds   = startup_probe.value.timeout_seconds
            failure_threshold = startup_probe.value.failure_threshold
          }
        }

        dynamic "volume_mount" {
          for_each = init_container.value.volume_mounts
          content {
            name       = volume_mount.value.name
            mount_path = volume_mount.value.mount_path
            read_only  = volume_mount.value.read_only
          }
        }
      }
    }

    dynamic "container" {
      for_each = module.exectrail.containers
      content {
        name              = container.value.name
        image             = container.value.image
        image_pull_policy = container.value.image_pull_policy
        command           = container.value.command
        args              = container.value.args

        dynamic "env" {
          for_each = container.value.env_from_fields
          content {
            name = env.value.name
            value_from {
              field_ref {
                field_path = env.value.field_path
              }
            }
          }
        }

        security_context {
          run_as_user                = container.value.security_context.run_as_user
          run_as_group               = container.value.security_context.run_as_group
          run_as_non_root            = container.value.security_context.run_as_non_root
          privileged                 = container.value.security_context.privileged
          allow_privilege_escalation = false
          read_only_root_filesystem  = true
          capabilities {
            drop = ["ALL"]
            add  = container.value.security_context.add_capabilities
          }
          seccomp_profile {
            type = "RuntimeDefault"
          }
          dynamic "se_linux_options" {
            for_each = container.value.security_context.se_linux_options
            content {
              type = se_linux_options.value.type
            }
          }
        }

        resources {
          requests = container.value.resources.requests
          limits   = container.value.resources.limits
        }

        dynamic "volume_mount" {
          for_each = container.value.volume_mounts
          content {
            name       = volume_mount.value.name
            mount_path = volume_mount.value.mount_path
            read_only  = volume_mount.value.read_only
          }
        }
      }
    }

    container {
      name              = "workspace"
      image             = var.envbox_image
      image_pull_policy = "IfNotPresent"
      command           = ["sh", "-c", module.exectrail.init_script]

      # envbox runs a container runtime of its own.
      security_context {
        privileged = true
      }

      dynamic "env" {
        for_each = local.envbox_env
        content {
          name  = env.key
          value = env.value
        }
      }

      env {
        name = "CODER_CPUS"
        value_from {
          resource_field_ref {
            resource = "limits.cpu"
          }
        }
      }

      env {
        name = "CODER_MEMORY"
        value_from {
          resource_field_ref {
            resource = "limits.memory"
          }
        }
      }

      dynamic "env" {
        for_each = module.exectrail.env
        content {
          name  = env.key
          value = env.value
        }
      }

      resources {
        requests = {
          cpu    = "500m"
          memory = "1Gi"
        }
        limits = {
          cpu    = "${data.coder_parameter.cpu.value}"
          memory = "${data.coder_parameter.memory.value}Gi"
        }
      }

      dynamic "volume_mount" {
        for_each = local.home_mounts
        content {
          name       = "home"
          mount_path = volume_mount.key
          sub_path   = volume_mount.value
        }
      }

      volume_mount {
        name       = "sysbox"
        mount_path = "/var/lib/sysbox"
      }

      volume_mount {
        name       = "usr-src"
        mount_path = "/usr/src"
      }

      volume_mount {
        name       = "lib-modules"
        mount_path = "/lib/modules"
      }

      dynamic "volume_mount" {
        for_each = module.exectrail.volume_mounts
        content {
          name       = volume_mount.value.name
          mount_path = volume_mount.value.mount_path
          read_only  = volume_mount.value.read_only
        }
      }
    }

    volume {
      name = "home"
      persistent_volume_claim {
        claim_name = kubernetes_persistent_volume_claim_v1.home.metadata[0].name
      }
    }

    volume {
      name = "sysbox"
      empty_dir {}
    }

    # The sources and modules of the node's kernel, which sysbox reads.
    volume {
      name = "usr-src"
      host_path {
        path = "/usr/src"
      }
    }

    volume {
      name = "lib-modules"
      host_path {
        path = "/lib/modules"
      }
    }

    dynamic "volume" {
      for_each = module.exectrail.volumes
      content {
        name = volume.value.name
        empty_dir {}
      }
    }

    dynamic "volume" {
      for_each = module.exectrail.label_volumes
      content {
        name = volume.value.name
        downward_api {
          dynamic "items" {
            for_each = volume.value.items
            content {
              path = items.value.path
              field_ref {
                field_path = items.value.field_path
              }
            }
          }
        }
      }
    }
  }
}
