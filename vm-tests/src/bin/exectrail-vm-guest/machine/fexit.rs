//! Uses all slots that a kernel function has for programs, as other tools could.

use std::{
    fs, io,
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
};

use anyhow::{Context as _, Result, bail};
use exectrail_preflight::{
    attach_points::{AttachPoint, EXEC_FUNCTIONS},
    offsets,
};

// include/uapi/linux/bpf.h
const BPF_PROG_LOAD: u32 = 5;
const BPF_RAW_TRACEPOINT_OPEN: u32 = 17;
const BPF_PROG_TYPE_TRACING: u32 = 26;
const BPF_TRACE_FEXIT: u32 = 25;

/// `return 0`
const PROGRAM: [u64; 2] = [0xb7, 0x95];

/// More programs than any kernel allows on one function.
const MANY: usize = 100;

/// The part of `union bpf_attr` that BPF_PROG_LOAD reads, up to `attach_btf_id`.
#[repr(C)]
#[derive(Default)]
struct ProgAttr {
    prog_type: u32,
    insn_cnt: u32,
    insns: u64,
    license: u64,
    log: [u32; 4],
    kern_version: u32,
    prog_flags: u32,
    prog_name: [u8; 16],
    prog_ifindex: u32,
    expected_attach_type: u32,
    line_info: [u32; 9],
    attach_btf_id: u32,
}

/// The part of `union bpf_attr` that BPF_RAW_TRACEPOINT_OPEN reads; the program determines the
/// function.
#[repr(C)]
struct AttachAttr {
    name: u64,
    prog_fd: u32,
    zero: u32,
}

/// Attaches programs that do nothing to the exit of `call` until the kernel refuses more. Dropping
/// them detaches them.
pub(crate) fn fill(call: &str) -> Result<Vec<[OwnedFd; 2]>> {
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
        let mut program = ProgAttr {
            prog_type: BPF_PROG_TYPE_TRACING,
            insn_cnt: PROGRAM.len() as u32,
            insns: PROGRAM.as_ptr() as u64,
            license: c"GPL".as_ptr() as u64,
            expected_attach_type: BPF_TRACE_FEXIT,
            attach_btf_id: id,
            ..ProgAttr::default()
        };
        let program = bpf(BPF_PROG_LOAD, &mut program).context("the program was refused")?;
        let mut attach = AttachAttr {
            name: 0,
            prog_fd: program.as_raw_fd() as u32,
            zero: 0,
        };
        match bpf(BPF_RAW_TRACEPOINT_OPEN, &mut attach) {
            Ok(link) => attached.push([program, link]),
            Err(error) if error.raw_os_error() == Some(libc::E2BIG) => return Ok(attached),
            Err(error) => bail!("{name} takes no program: {error}"),
        }
    }
    bail!("{name} takes {MANY} programs and more")
}

/// Calls bpf(2) with a command that makes a file descriptor.
fn bpf<T>(command: u32, attr: &mut T) -> io::Result<OwnedFd> {
    let attr: *mut T = attr;
    // SAFETY: both structures are what their command reads, and they point to static data.
    let fd = unsafe { libc::syscall(libc::SYS_bpf, command, attr, size_of::<T>()) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made this descriptor, and nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}
