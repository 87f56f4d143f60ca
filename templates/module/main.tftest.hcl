# `terraform init && terraform test` in this directory. The module has no resources and needs no
# provider, so nothing is mocked and nothing is fetched.

variables {
  image  = "registry.example.com/exectrail:9.9.9"
  script = "exec sleep infinity"
}

run "an_ordinary_sidecar" {
  command = plan

  assert {
    condition     = output.sidecar.image == "registry.example.com/exectrail:9.9.9"
    error_message = "The sidecar does not run the image."
  }

  assert {
    condition = jsonencode(output.sidecar.security_context) == jsonencode({
      run_as_user                = 0
      run_as_group               = 0
      run_as_non_root            = false
      privileged                 = false
      allow_privilege_escalation = false
      read_only_root_filesystem  = true
      add_capabilities           = ["BPF", "PERFMON"]
      se_linux_options           = []
    })
    error_message = "The sidecar has other privileges than root with BPF and PERFMON."
  }

  assert {
    condition     = length(output.containers) == 1 && length(output.init_containers) == 0
    error_message = "The sidecar is not the one container to add."
  }

  assert {
    condition     = endswith(output.init_script, "\nexec sleep infinity")
    error_message = "The script does not end with the command that starts the workspace."
  }

  assert {
    condition     = output.announce_command == null && length(output.init_scripts) == 0
    error_message = "There is an announce_command of a program that is not mounted, or a script too many."
  }

  assert {
    condition     = contains(output.sidecar.args, "--redact=known")
    error_message = "Secrets are not redacted by default."
  }
}

run "a_native_sidecar" {
  command = plan

  variables {
    native_sidecar = true
  }

  assert {
    condition     = output.init_containers[0].restart_policy == "Always"
    error_message = "The init container does not go on running."
  }

  assert {
    condition     = length(output.containers) == 0 && output.sidecar == null
    error_message = "The output sidecar lets a template add the sidecar as an ordinary container."
  }
}

run "exectrail_as_the_client" {
  command = plan

  variables {
    announce_with = "exectrail"
    hold_seconds  = 300
  }

  assert {
    condition     = output.init_containers[0].args == tolist(["install", "/opt/exectrail"])
    error_message = "Nothing copies the program."
  }

  assert {
    condition     = output.volume_mounts[0].name == "exectrail" && output.volume_mounts[0].read_only
    error_message = "The workspace does not mount the program read-only."
  }

  assert {
    condition     = output.sidecar == null
    error_message = "The output sidecar lets a template add the sidecar without the init container."
  }

  assert {
    condition     = strcontains(output.init_script, "hold='300'")
    error_message = "The script does not hold the workspace."
  }
}

run "dollars_reach_the_container" {
  command = plan

  variables {
    script = "echo $HOME $(id)"
    labels = { username = "$(NAME)" }
  }

  assert {
    condition     = endswith(output.init_script, "\necho $$HOME $$(id)")
    error_message = "The kubelet would replace names in the script."
  }

  assert {
    condition     = contains(output.sidecar.args, "--label=username=$$(NAME)")
    error_message = "The kubelet would replace names in a label."
  }
}

run "localhost_is_the_ipv4_loopback" {
  command = plan

  variables {
    init_address = "localhost:1234"
  }

  assert {
    condition = (
      contains(output.sidecar.args, "--init-address=127.0.0.1:1234") &&
      strcontains(output.init_script, "address='127.0.0.''1:1234'")
    )
    error_message = "Sidecar and workspace do not have the same address."
  }
}

run "a_script_keeps_its_address_when_localhost_is_replaced" {
  command = plan

  assert {
    condition = (
      replace(output.init_script, "/localhost|127\\.0\\.0\\.1/", "host.docker.internal") ==
      output.init_script
    )
    error_message = "Coder's template for dev containers would change the sidecar's address."
  }
}

run "two_containers" {
  command = plan

  variables {
    scripts = { tools = "exec sleep 1" }
  }

  assert {
    condition     = endswith(output.init_scripts["tools"], "\nexec sleep 1")
    error_message = "The second container does not start its script."
  }

  assert {
    condition     = length(output.init_scripts) == 1 && length(output.containers) == 1
    error_message = "There is not exactly one further script and one sidecar."
  }
}

run "a_command_without_a_shell" {
  command = plan

  variables {
    announce_with = "exectrail"
    hold_seconds  = 300
  }

  assert {
    condition = jsonencode(output.announce_command) == jsonencode([
      "/opt/exectrail/exectrail",
      "announce",
      "--init-address=127.0.0.1:56123",
      "--timeout=900s",
      "--hold=300s",
      "--exec",
      "--",
    ])
    error_message = "The command does not announce the container."
  }
}

run "hold_needs_the_program" {
  command = plan

  variables {
    hold_seconds = 300
  }

  expect_failures = [output.init_script]
}

run "wrong_values_are_refused" {
  command = plan

  variables {
    image             = "an image"
    script            = " "
    scripts           = { tools = "" }
    labels            = { "a b" = "c" }
    labels_from_pod   = { username = "" }
    redact            = "some"
    image_pull_policy = "Sometimes"
    announce_with     = "wget"
    init_address      = ":56123"
    selinux_type      = "a:b"
    args              = ["--label=a=b"]
  }

  expect_failures = [
    var.image,
    var.script,
    var.scripts,
    var.labels,
    var.labels_from_pod,
    var.redact,
    var.image_pull_policy,
    var.announce_with,
    var.init_address,
    var.selinux_type,
    var.args,
  ]
}
