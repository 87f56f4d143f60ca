//! `cargo xtask kubernetes`: checks exectrail in a real cluster of one node on this machine.
//!
//! The command has two halves. The outer one builds Kubernetes ([`build`]) and the images, and
//! starts the inner one in namespaces without a way out ([`enclosure`]). The inner one ([`node`])
//! starts the cluster and runs the [`checks`].

mod alone;
mod build;
mod cgroups;
mod checks;
mod cluster;
mod daemon;
mod enclosure;
mod images;
mod kubectl;
mod layout;
mod node;
mod rendered;
mod stop;
mod wait;

use std::process::ExitCode;

use anyhow::{Result, ensure};

use self::alone::{Alone, SCRATCH};
use self::enclosure::Enclosure;
use self::layout::Run;
pub(crate) use self::node::{NodeArgs, command as node_command};
use self::stop::Stop;
use crate::architecture::Architecture;
use crate::setup::{self, For};
use crate::{progress, workspace};

/// Arguments of `cargo xtask kubernetes`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only checks whose name contains this; repeatable
    #[arg(long = "check", value_name = "NAME")]
    checks: Vec<String>,

    /// Print the names of the checks, and exit
    #[arg(long)]
    list: bool,

    /// After the checks, leave the cluster running until Ctrl-C, and print how to use kubectl
    #[arg(long)]
    keep: bool,
}

/// `cargo xtask kubernetes`.
pub(crate) fn command(args: &Args) -> Result<ExitCode> {
    let names = checks::names(&args.checks)?;
    if args.list {
        names.iter().for_each(|name| println!("{name}"));
        return Ok(ExitCode::SUCCESS);
    }
    ensure!(
        rustix::process::geteuid().is_root(),
        "only root can make a node: run `cargo xtask kubernetes` with sudo. `--list` needs no root"
    );
    ensure!(
        Architecture::host()? == Architecture::Amd64,
        "only x86-64: the packages that are fetched are pinned for it \
         (xtask/src/kubernetes/build/pinned.rs)"
    );
    let target = workspace::target_dir();
    ensure!(
        !node::hides(&target),
        "{} would be hidden from the node, which has its own /run, /var/lib, /var/log and /tmp: \
         set CARGO_TARGET_DIR to another place",
        target.display()
    );
    setup::ensure(For {
        kubernetes: true,
        ..For::default()
    })?;

    let stop = Stop::on_interrupt()?;
    let directory = target.join("kubernetes");
    let _alone = Alone::in_directory(&directory)?;
    let programs = build::programs(&directory)?;
    let scratch = tempfile::TempDir::with_prefix_in(SCRATCH, &directory)?;
    let run = Run::new(&programs, scratch.path(), &directory.join("logs"));
    images::write(&run)?;
    rendered::write(&run)?;
    let status = Enclosure::new(&run, &stop)?.run(&args.checks, args.keep)?;
    if status != ExitCode::SUCCESS && !stop.is_wanted() {
        progress::note(format_args!(
            "the logs of the node's programs are in {}",
            run.logs.display()
        ));
    }
    Ok(status)
}
