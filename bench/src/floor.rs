//! The floor: programs that do nothing, or hardly anything, on exectrail's tracepoint.

use std::{
    fs, io,
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
};

use anyhow::{Context as _, Result};
use aya::Btf;
use aya_obj::btf::BtfKind;
use exectrail_common::record::Exec;
use exectrail_preflight::offsets;

// include/uapi/linux/bpf.h
const BPF_MAP_CREATE: u32 = 0;
const BPF_PROG_LOAD: u32 = 5;
const BPF_RAW_TRACEPOINT_OPEN: u32 = 17;
const BPF_PROG_TYPE_TRACING: u32 = 26;
const BPF_TRACE_RAW_TP: u32 = 23;
const BPF_MAP_TYPE_RINGBUF: u32 = 27;
const BPF_FUNC_PROBE_READ_USER: i32 = 112;
const BPF_FUNC_PROBE_READ_USER_STR: i32 = 114;
const BPF_FUNC_RINGBUF_OUTPUT: i32 = 130;
const BPF_RB_NO_WAKEUP: i32 = 1;

/// The work of the program.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Doing {
    /// It returns.
    Nothing,
    /// It copies argv onto its stack.
    CopyArgv,
    /// It copies argv from there into a ring that is not read.
    WriteArgv,
    /// It also copies the filename, in a record of the same length as exectrail's, with zeros
    /// elsewhere.
    WriteRecord,
}

/// All kinds of work.
pub(crate) const DOING: [Doing; 4] = [
    Doing::Nothing,
    Doing::CopyArgv,
    Doing::WriteArgv,
    Doing::WriteRecord,
];

/// Maximum number of bytes of argv and of the filename.
const ROOM: i16 = 128;
/// Number of bytes of a record before these.
const HEAD: i16 = size_of::<Exec>() as i16;
/// Their offsets on the stack.
const FILENAME: i16 = -ROOM;
const ARGV: i16 = FILENAME - ROOM;
const RECORD: i16 = ARGV - HEAD;
/// Size of the ring in bytes, which must not fill up during a round.
const RING: u32 = 16 << 20;

impl Doing {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Nothing => "empty program",
            Self::CopyArgv => "one that copies argv",
            Self::WriteArgv => "one that copies argv into a ring",
            Self::WriteRecord => {
                "one that copies argv and filename into a ring, in a record as long"
            }
        }
    }

    /// Its instructions (Documentation/bpf/standardization/instruction-set.rst).
    fn instructions(self, ring: &OwnedFd) -> Result<Vec<u64>> {
        let mut program = Vec::new();
        if self != Self::Nothing {
            let types = fs::read("/sys/kernel/btf/vmlinux")?;
            let offsets = offsets::resolve(&types)?.offsets;
            let at = |offset: u32| i16::try_from(offset).context("a field is far away");
            program.extend([
                load(6, 1, 0),
                load(6, 6, at(offsets.task_mm)?),
                load(3, 6, at(offsets.mm_arg_start)?),
                load(7, 6, at(offsets.mm_arg_end)?),
                load(9, 6, at(offsets.mm_env_end)?),
                // The length of argv, at most ROOM.
                instruction(0x1f, 7, 3, 0, 0),
                instruction(0xb5, 7, 0, 1, ROOM.into()),
                instruction(0xb7, 7, 0, 0, ROOM.into()),
                instruction(0xbf, 2, 7, 0, 0),
                instruction(0xbf, 1, 10, 0, 0),
                instruction(0x07, 1, 0, 0, ARGV.into()),
                instruction(0x85, 0, 0, 0, BPF_FUNC_PROBE_READ_USER),
            ]);
        }
        let record = self == Self::WriteRecord;
        if record {
            let words = (RECORD..ARGV).step_by(size_of::<u64>());
            program.extend(words.map(|word| instruction(0x7a, 10, 0, word, 0)));
            program.extend([
                instruction(0xbf, 1, 10, 0, 0),
                instruction(0x07, 1, 0, 0, FILENAME.into()),
                instruction(0xb7, 2, 0, 0, ROOM.into()),
                instruction(0xbf, 3, 9, 0, 0),
                instruction(0x85, 0, 0, 0, BPF_FUNC_PROBE_READ_USER_STR),
                // Its length; an error is negative, so as an unsigned number it is more than ROOM.
                instruction(0xb5, 0, 0, 1, ROOM.into()),
                instruction(0xb7, 0, 0, 0, 0),
                instruction(0x0f, 7, 0, 0, 0),
                instruction(0x07, 7, 0, 0, HEAD.into()),
            ]);
        }
        if record || self == Self::WriteArgv {
            program.extend([
                // A map's descriptor, split into two instructions.
                instruction(0x18, 1, 1, 0, ring.as_raw_fd()),
                0,
                instruction(0xbf, 2, 10, 0, 0),
                instruction(0x07, 2, 0, 0, if record { RECORD } else { ARGV }.into()),
                instruction(0xbf, 3, 7, 0, 0),
                instruction(0xb7, 4, 0, 0, BPF_RB_NO_WAKEUP),
                instruction(0x85, 0, 0, 0, BPF_FUNC_RINGBUF_OUTPUT),
            ]);
        }
        program.extend([instruction(0xb7, 0, 0, 0, 0), instruction(0x95, 0, 0, 0, 0)]);
        Ok(program)
    }
}

/// `dst = *(u64 *)(src + offset)`
fn load(dst: u64, src: u64, offset: i16) -> u64 {
    instruction(0x79, dst, src, offset, 0)
}

/// One instruction.
fn instruction(code: u64, dst: u64, src: u64, offset: i16, immediate: i32) -> u64 {
    let (offset, immediate) = (offset as u16, immediate as u32);
    code | dst << 8 | src << 12 | u64::from(offset) << 16 | u64::from(immediate) << 32
}

/// The part of `union bpf_attr` that BPF_MAP_CREATE reads.
#[repr(C)]
#[derive(Default)]
struct MapAttr {
    map_type: u32,
    key_size: u32,
    value_size: u32,
    max_entries: u32,
}

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

/// The part of `union bpf_attr` that BPF_RAW_TRACEPOINT_OPEN reads; the program determines the
/// tracepoint.
#[repr(C)]
struct AttachAttr {
    name: u64,
    prog_fd: u32,
    zero: u32,
}

/// The program; detached when dropped.
pub(crate) struct Floor {
    _program: OwnedFd,
    _link: OwnedFd,
}

impl Floor {
    /// Attaches the program to the tracepoint of an exec.
    pub(crate) fn attach(doing: Doing) -> Result<Self> {
        Self::attach_to(doing, "sched_process_exec")
    }

    /// Attaches the program to a tracepoint. Only that of an exec has the arguments that a program
    /// that copies argv needs.
    pub(crate) fn attach_to(doing: Doing, tracepoint: &str) -> Result<Self> {
        let mut attr = MapAttr {
            map_type: BPF_MAP_TYPE_RINGBUF,
            max_entries: RING,
            ..MapAttr::default()
        };
        let ring = bpf(BPF_MAP_CREATE, &mut attr).context("a ring was refused")?;
        let instructions = doing.instructions(&ring)?;
        let btf = Btf::from_sys_fs()?;
        let tracepoint =
            btf.id_by_type_name_kind(&format!("btf_trace_{tracepoint}"), BtfKind::Typedef)?;
        let mut attr = ProgAttr {
            prog_type: BPF_PROG_TYPE_TRACING,
            insn_cnt: instructions.len().try_into()?,
            insns: instructions.as_ptr().expose_provenance() as u64,
            license: c"GPL".as_ptr().expose_provenance() as u64,
            prog_name: *b"floor\0\0\0\0\0\0\0\0\0\0\0",
            expected_attach_type: BPF_TRACE_RAW_TP,
            attach_btf_id: tracepoint,
            ..ProgAttr::default()
        };
        let program = bpf(BPF_PROG_LOAD, &mut attr).context("the program was refused")?;
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
    // SAFETY: all attributes have the kernel's layout, and the memory that they point to is alive.
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
