//! The floor: a program that does nothing, on the tracepoint that exectrail's is on.

use std::{
    io,
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
};

use anyhow::{Context as _, Result};
use aya::Btf;
use aya_obj::btf::BtfKind;

// include/uapi/linux/bpf.h
const BPF_PROG_LOAD: u32 = 5;
const BPF_RAW_TRACEPOINT_OPEN: u32 = 17;
const BPF_PROG_TYPE_TRACING: u32 = 26;
const BPF_TRACE_RAW_TP: u32 = 23;

/// `r0 = 0; exit`
const NOTHING: [u64; 2] = [0xb7, 0x95];

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
    prog_btf_fd: u32,
    func_info_rec_size: u32,
    func_info: u64,
    func_info_cnt: u32,
    line_info_rec_size: u32,
    line_info: u64,
    line_info_cnt: u32,
    attach_btf_id: u32,
}

/// What BPF_RAW_TRACEPOINT_OPEN reads; the program says which tracepoint.
#[repr(C)]
struct AttachAttr {
    name: u64,
    prog_fd: u32,
    zero: u32,
}

/// The empty program; detached when dropped.
pub(crate) struct Floor {
    _program: OwnedFd,
    _link: OwnedFd,
}

impl Floor {
    pub(crate) fn attach() -> Result<Self> {
        let btf = Btf::from_sys_fs()?;
        let tracepoint =
            btf.id_by_type_name_kind("btf_trace_sched_process_exec", BtfKind::Typedef)?;
        let mut attr = ProgAttr {
            prog_type: BPF_PROG_TYPE_TRACING,
            insn_cnt: NOTHING.len() as u32,
            insns: NOTHING.as_ptr().expose_provenance() as u64,
            license: c"GPL".as_ptr().expose_provenance() as u64,
            prog_name: *b"floor\0\0\0\0\0\0\0\0\0\0\0",
            expected_attach_type: BPF_TRACE_RAW_TP,
            attach_btf_id: tracepoint,
            ..ProgAttr::default()
        };
        let program = bpf(BPF_PROG_LOAD, &mut attr).context("the empty program was refused")?;
        let mut attr = AttachAttr {
            name: 0,
            prog_fd: program.as_raw_fd().try_into()?,
            zero: 0,
        };
        let link = bpf(BPF_RAW_TRACEPOINT_OPEN, &mut attr).context("it cannot be attached")?;
        Ok(Self {
            _program: program,
            _link: link,
        })
    }
}

/// Calls bpf(2) with a command that makes a file descriptor.
fn bpf<T>(command: u32, attr: &mut T) -> io::Result<OwnedFd> {
    // SAFETY: both attributes are laid out as the kernel has them, and what they point to lives.
    let fd = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            command,
            std::ptr::from_mut(attr),
            size_of::<T>(),
        )
    };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}
