//! `cargo xtask`: one command for each task in this repository.
//!
//! Every command first installs what it needs (see [`setup`]), so a fresh clone and a Rust
//! toolchain are enough.

#![forbid(unsafe_code)]

mod architecture;
mod bench;
mod build;
mod builder;
mod check;
mod ci;
mod command;
mod demo;
mod digest;
mod dist;
mod fuzz;
mod generate_log;
mod image;
mod install;
mod kubernetes;
mod package;
mod picture;
mod progress;
mod prose;
mod release;
mod screenshots;
mod setup;
mod soak;
mod source;
mod spelling;
mod tally;
mod templates;
mod test;
mod toolchain;
mod vm;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Set up, build, test and check exectrail.
#[derive(Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    max_term_width = 100,
    after_help = "Every command first installs what it needs, and prints what it installs. Files \
                  that belong to none of rustup, cargo and apt go to ~/.cache/exectrail."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Install the requirements of the build: bpf-linker and the standard library's source
    ///
    /// Needs no root. The source comes from rustup or, if rustup cannot get it, from the Debian
    /// archive. Running it again is safe, and quick when nothing is missing.
    Setup(setup::Args),

    /// Build exectrail, exectrail-log and exectrail-preflight
    Build(build::Args),

    /// Build, then trace a small demo workspace on this machine (root)
    Run,

    /// Build, then install the programs, man pages and completions, or remove them
    ///
    /// The programs are static. Prints each file that it installs. /usr/local needs root.
    Install(install::Args),

    /// Run the tests, including those on the running kernel
    ///
    /// Tests that load programs into the kernel need root. Without it they are skipped, and listed
    /// at the end.
    Test(test::Args),

    /// Test on other kernels, in virtual machines
    ///
    /// Fetches Debian's kernels from 5.10 to the newest into ~/.cache/exectrail/vm, boots them with
    /// the static binary, and prints a table of kernels and scenarios. Machines that run pods need
    /// a disk. It is made once, and only root can make it. About 20 minutes on two cores without
    /// KVM, and 45 with `--full`.
    Vm(vm::Args),

    /// Test the deployment templates, or print the manifests that a template makes
    ///
    /// The templates are evaluated without Terraform. If terraform or tofu is installed, the
    /// command also checks the format, and compares the values with Terraform's. If it can fetch
    /// the providers, it validates the templates.
    Templates(templates::Args),

    /// Test on a real Kubernetes: one node on this machine, without access to other networks (root)
    ///
    /// Builds kubelet, API server, controller manager and scheduler from Debian's source package of
    /// Kubernetes 1.20.2, which takes about eight minutes on two cores, once. Then it starts a
    /// cluster in separate namespaces, applies the manifests of templates/ and checks what
    /// exectrail records. Prints a line for each check, and exits with status 1 if one fails.
    /// Nothing stays behind but target/kubernetes. This version of Kubernetes is out of support,
    /// and has no native sidecars, Pod Security admission and ValidatingAdmissionPolicy to test.
    Kubernetes(kubernetes::Args),

    /// The part of `kubernetes` that runs in the namespaces of the node
    #[command(hide = true)]
    KubernetesNode(kubernetes::NodeArgs),

    /// Make the container image from the static binary
    Image(image::Args),

    /// Make the release: a tarball for each architecture, one of the Terraform module, checksums
    ///
    /// The tarball of an architecture has the binaries, man pages, completions, documents, licenses
    /// and bills of materials (CycloneDX). The same source gives the same bytes.
    Dist(dist::Args),

    /// Change the version everywhere, commit that, and create the tag
    ///
    /// Changes the version in all files and in both Cargo.lock. In CHANGELOG.md, gives the changes
    /// under "Unreleased" the version and the date. Commits this as "Release VERSION", and creates
    /// the annotated tag vVERSION. Refuses if there are uncommitted changes, the tag exists or
    /// nothing is under "Unreleased". If a step fails, nothing is changed. Uses no network.
    Release(release::Args),

    /// Measure the cost of exectrail beside no tracer, minimal eBPF programs and other tools (root)
    ///
    /// Prints a table, and writes it with the data and plots to target/bench. Takes ten minutes, or
    /// one minute with --quick. The table shows which tools are not installed.
    Bench(bench::Args),

    /// Make the picture in the README from what exectrail prints (root)
    Picture,

    /// Make the pictures of the report in the documents, with Chromium
    Screenshots,

    /// Feed random input, guided by coverage, to code that reads input from outside
    ///
    /// Feeds ten million inputs to each target, which takes from seconds (announcements) to most of
    /// an hour (preflight). An input that breaks a target is printed, and kept in fuzz/artifacts.
    Fuzz(fuzz::Args),

    /// Execute a million programs while workspaces come and go, and account for each (root)
    ///
    /// Takes about five minutes on two cores. The last lines have the figures. Fails unless
    /// every exec is accounted for, every line is right and memory is flat.
    Soak(soak::Args),

    /// Write a log of any size to standard output, to measure programs that read logs
    ///
    /// The same arguments give the same bytes. Nothing is executed; `exectrail verify` accepts the
    /// log.
    GenerateLog(generate_log::Args),

    /// Check formatting, prose, spelling, lints, documentation, licenses and bans
    Check,

    /// Run all steps of CI: setup, check, tests, release build, short fuzzing, image, release,
    /// virtual machines
    ///
    /// Continues after a failed step other than setup, so that one run shows all problems. The last
    /// line reads `N passed, N failed, N skipped`; a failed step other than the tests counts as one
    /// failed.
    Ci,
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Setup(args) => setup::command(&args).map(|()| ExitCode::SUCCESS),
        Command::Build(args) => build::command(&args).map(|()| ExitCode::SUCCESS),
        Command::GenerateLog(args) => generate_log::command(&args).map(|()| ExitCode::SUCCESS),
        Command::Run => {
            let built = build::release();
            built
                .and_then(|built| demo::run(&built.exectrail))
                .map(|()| ExitCode::SUCCESS)
        }
        Command::Install(args) => install::command(&args).map(|()| ExitCode::SUCCESS),
        Command::Test(args) => test::command(&args),
        Command::Vm(args) => vm::command(&args).map(|()| ExitCode::SUCCESS),
        Command::Templates(args) => templates::command(&args).map(|()| ExitCode::SUCCESS),
        Command::Soak(args) => soak::command(&args).map(|()| ExitCode::SUCCESS),
        Command::Kubernetes(args) => kubernetes::command(&args),
        Command::KubernetesNode(args) => kubernetes::node_command(&args),
        Command::Image(args) => image::command(&args).map(|()| ExitCode::SUCCESS),
        Command::Dist(args) => dist::command(&args).map(|()| ExitCode::SUCCESS),
        Command::Release(args) => release::command(&args).map(|()| ExitCode::SUCCESS),
        Command::Bench(args) => bench::command(&args).map(|()| ExitCode::SUCCESS),
        Command::Picture => picture::command().map(|()| ExitCode::SUCCESS),
        Command::Screenshots => screenshots::command().map(|()| ExitCode::SUCCESS),
        Command::Fuzz(args) => fuzz::command(&args).map(|()| ExitCode::SUCCESS),
        Command::Check => check::command().map(|()| ExitCode::SUCCESS),
        Command::Ci => ci::command(),
    };
    done.unwrap_or_else(|error| {
        progress::failure(&error);
        ExitCode::FAILURE
    })
}
