//! eBPF programs that are written as instructions, without a compiler, and loaded and attached by
//! bpf(2).

use std::{
    io,
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
};

use aya_obj::generated::{
    bpf_attach_type, bpf_attr,
    bpf_cmd::{self, BPF_MAP_CREATE, BPF_PROG_LOAD, BPF_RAW_TRACEPOINT_OPEN},
    bpf_map_type::BPF_MAP_TYPE_RINGBUF,
    bpf_prog_type::BPF_PROG_TYPE_TRACING,
};

/// What a tracing program is attached to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// A BTF tracepoint, by the BTF id of its type `btf_trace_NAME`.
    Tracepoint(u32),
    /// The exit of a function, by its BTF id.
    Exit(u32),
}

/// A loaded program.
#[derive(Debug)]
pub struct Program(OwnedFd);

/// A program that is attached; dropping the value detaches it.
#[derive(Debug)]
pub struct Attached {
    _link: OwnedFd,
    _program: Program,
}

impl Program {
    /// Loads a program of these instructions. The kernel keeps 15 bytes of `name`.
    pub fn load(name: &str, target: Target, instructions: &[u64]) -> io::Result<Self> {
        let (attach_type, id) = match target {
            Target::Tracepoint(id) => (bpf_attach_type::BPF_TRACE_RAW_TP, id),
            Target::Exit(id) => (bpf_attach_type::BPF_TRACE_FEXIT, id),
        };
        let mut prog_name = [0; 16];
        for (byte, letter) in prog_name[..15].iter_mut().zip(name.bytes()) {
            *byte = letter as _;
        }
        let mut attr = zeroed();
        attr.__bindgen_anon_3.prog_type = BPF_PROG_TYPE_TRACING as u32;
        attr.__bindgen_anon_3.insn_cnt =
            u32::try_from(instructions.len()).map_err(io::Error::other)?;
        attr.__bindgen_anon_3.insns = instructions.as_ptr().expose_provenance() as u64;
        attr.__bindgen_anon_3.license = c"GPL".as_ptr().expose_provenance() as u64;
        attr.__bindgen_anon_3.prog_name = prog_name;
        attr.__bindgen_anon_3.expected_attach_type = attach_type as u32;
        attr.__bindgen_anon_3.attach_btf_id = id;
        // SAFETY: `insn_cnt` instructions are at `insns`, the license ends with a zero, and both
        // outlive the call.
        unsafe { bpf(BPF_PROG_LOAD, &mut attr) }.map(Self)
    }

    /// Attaches the program to its target.
    pub fn attach(self) -> io::Result<Attached> {
        let mut attr = zeroed();
        // Without a name, the program determines the target.
        attr.raw_tracepoint.prog_fd =
            u32::try_from(self.0.as_raw_fd()).map_err(io::Error::other)?;
        // SAFETY: these attributes contain no address.
        let link = unsafe { bpf(BPF_RAW_TRACEPOINT_OPEN, &mut attr) }?;
        Ok(Attached {
            _link: link,
            _program: self,
        })
    }
}

/// Makes a ring buffer of this many bytes, a power of two.
pub fn ring(bytes: u32) -> io::Result<OwnedFd> {
    let mut attr = zeroed();
    attr.__bindgen_anon_1.map_type = BPF_MAP_TYPE_RINGBUF as u32;
    attr.__bindgen_anon_1.max_entries = bytes;
    // SAFETY: these attributes contain no address.
    unsafe { bpf(BPF_MAP_CREATE, &mut attr) }
}

fn zeroed() -> bpf_attr {
    // SAFETY: all members are integers and arrays of integers, for which zeros are valid.
    unsafe { std::mem::zeroed() }
}

/// Calls bpf(2) with a command that makes a file descriptor.
///
/// # Safety
///
/// Every address in `attr` must be valid, for the length beside it, during the call.
unsafe fn bpf(command: bpf_cmd, attr: &mut bpf_attr) -> io::Result<OwnedFd> {
    let attr: *mut bpf_attr = attr;
    // SAFETY: `attr` points to `size_of::<bpf_attr>()` bytes; the caller guarantees that the
    // attributes are valid.
    let fd = unsafe { libc::syscall(libc::SYS_bpf, command as u32, attr, size_of::<bpf_attr>()) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    let fd = i32::try_from(fd).map_err(io::Error::other)?;
    // SAFETY: the kernel has just made this descriptor, and nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
