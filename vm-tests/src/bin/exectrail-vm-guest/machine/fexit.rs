//! eBPF programs that stand for programs of other tools: loads some, or attaches as many as a
//! kernel function has slots for.

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

/// Loads this many programs that do nothing, and attaches none.
pub(crate) fn idle(count: usize) -> Result<Vec<Program>> {
    let id = exit_of("execve")?;
    (0..count)
        .map(|_| Program::load("idle", Target::Exit(id), &INSTRUCTIONS))
        .collect::<Result<_, _>>()
        .context("the program was refused")
}

/// The BTF id of the function of `call`.
fn exit_of(call: &str) -> Result<u32> {
    let name = EXEC_FUNCTIONS
        .into_iter()
        .flatten()
        .find(|name| name.ends_with(&format!("_sys_{call}")))
        .with_context(|| format!("no function for {call}"))?;
    let resolved = offsets::resolve(&fs::read("/sys/kernel/btf/vmlinux")?)?;
    resolved
        .attach_points
        .id(AttachPoint::Function(name))
        .with_context(|| format!("the kernel has no {name}"))
}

/// Attaches empty programs to the exit of `call` until the kernel refuses more. Dropping the
/// programs detaches them.
pub(crate) fn fill(call: &str) -> Result<Vec<Attached>> {
    let id = exit_of(call)?;
    let mut attached = Vec::new();
    while attached.len() < MANY {
        let program = Program::load("filler", Target::Exit(id), &INSTRUCTIONS)
            .context("the program was refused")?;
        match program.attach() {
            Ok(program) => attached.push(program),
            Err(error) if Errno::from_io_error(&error) == Some(Errno::TOOBIG) => {
                return Ok(attached);
            }
            Err(error) => bail!("{call} takes no program: {error}"),
        }
    }
    bail!("{call} takes {MANY} programs and more")
}
