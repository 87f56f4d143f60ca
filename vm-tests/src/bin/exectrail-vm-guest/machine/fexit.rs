//! Uses all slots that a kernel function has for programs, as other tools could.

use std::fs;

use anyhow::{Context as _, Result, bail};
use exectrail_preflight::{
    attach_points::{AttachPoint, EXEC_FUNCTIONS},
    offsets,
};
use exectrail_testbed::bpf::{Attached, Program, Target};
use rustix::io::Errno;

/// `return 0`
const INSTRUCTIONS: [u64; 2] = [0xb7, 0x95];

/// More programs than any kernel allows on one function.
const MANY: usize = 100;

/// Attaches programs that do nothing to the exit of `call` until the kernel refuses more. Dropping
/// them detaches them.
pub(crate) fn fill(call: &str) -> Result<Vec<Attached>> {
    let name = EXEC_FUNCTIONS
        .into_iter()
        .flatten()
        .find(|name| name.ends_with(&format!("_sys_{call}")))
        .with_context(|| format!("no function for {call}"))?;
    let resolved = offsets::resolve(&fs::read("/sys/kernel/btf/vmlinux")?)?;
    let id = resolved
        .attach_points
        .id(AttachPoint::Function(name))
        .with_context(|| format!("the kernel has no {name}"))?;
    let mut attached = Vec::new();
    while attached.len() < MANY {
        let program = Program::load("filler", Target::Exit(id), &INSTRUCTIONS)
            .context("the program was refused")?;
        match program.attach() {
            Ok(program) => attached.push(program),
            Err(error) if Errno::from_io_error(&error) == Some(Errno::TOOBIG) => {
                return Ok(attached);
            }
            Err(error) => bail!("{name} takes no program: {error}"),
        }
    }
    bail!("{name} takes {MANY} programs and more")
}
