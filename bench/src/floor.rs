//! The floor: eBPF programs that do nothing, or hardly anything, on exectrail's tracepoints.

use std::{
    fs,
    os::fd::{AsRawFd as _, OwnedFd},
};

use anyhow::{Context as _, Result};
use aya::Btf;
use aya_obj::btf::BtfKind;
use exectrail_common::record::Exec;
use exectrail_preflight::offsets;
use exectrail_testbed::bpf::{self, Attached, Program, Target};

// include/uapi/linux/bpf.h
const BPF_FUNC_PROBE_READ_USER: i32 = 112;
const BPF_FUNC_PROBE_READ_USER_STR: i32 = 114;
const BPF_FUNC_RINGBUF_OUTPUT: i32 = 130;
const BPF_RB_NO_WAKEUP: i32 = 1;

/// The work of the program.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    /// It returns.
    Nothing,
    /// It copies argv to its stack.
    CopyArgv,
    /// It also copies argv from the stack into a ring that nobody reads.
    WriteArgv,
    /// It copies argv and the filename to its stack, and writes a record into the ring. The record
    /// is as long as exectrail's record without paths. It is a head of zeros, and as many bytes of
    /// the stack, from argv on, as argv and filename have together.
    WriteRecord,
}

/// Maximum number of bytes of argv, and of the filename.
const ROOM: i16 = 128;
/// Length of a record's head, before argv and filename.
const HEAD: i16 = size_of::<Exec>() as i16;
/// Offsets of filename, argv and record on the stack.
const FILENAME: i16 = -ROOM;
const ARGV: i16 = FILENAME - ROOM;
const RECORD: i16 = ARGV - HEAD;
/// Size of the ring in bytes, which must not fill up during a round.
const RING: u32 = 16 << 20;

impl Work {
    pub(crate) const ALL: [Self; 4] = [
        Self::Nothing,
        Self::CopyArgv,
        Self::WriteArgv,
        Self::WriteRecord,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Nothing => "empty program",
            Self::CopyArgv => "one that copies argv",
            Self::WriteArgv => "one that copies argv into a ring",
            Self::WriteRecord => {
                "one that copies argv and filename into a ring, in a record as long as exectrail's"
            }
        }
    }

    /// The program's instructions (Documentation/bpf/standardization/instruction-set.rst).
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
                // The filename's length; an error is negative, so as an unsigned number it is more
                // than ROOM.
                instruction(0xb5, 0, 0, 1, ROOM.into()),
                instruction(0xb7, 0, 0, 0, 0),
                instruction(0x0f, 7, 0, 0, 0),
                instruction(0x07, 7, 0, 0, HEAD.into()),
            ]);
        }
        if record || self == Self::WriteArgv {
            program.extend([
                // Loads a map by its descriptor: an instruction of two slots.
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

/// The program; detached when dropped.
pub(crate) struct Floor {
    _program: Attached,
}

impl Floor {
    /// Attaches the program to the tracepoint of an exec.
    pub(crate) fn attach(work: Work) -> Result<Self> {
        Self::attach_to(work, "sched_process_exec")
    }

    /// Attaches the program to a tracepoint. Work that copies argv needs
    /// `sched_process_exec`, whose first argument is the task.
    pub(crate) fn attach_to(work: Work, tracepoint: &str) -> Result<Self> {
        let ring = bpf::ring(RING).context("a ring was refused")?;
        let instructions = work.instructions(&ring)?;
        let name = format!("btf_trace_{tracepoint}");
        let id = Btf::from_sys_fs()?.id_by_type_name_kind(&name, BtfKind::Typedef)?;
        let program = Program::load("floor", Target::Tracepoint(id), &instructions)
            .context("the program was refused")?;
        let program = program.attach().context("the program cannot be attached")?;
        Ok(Self { _program: program })
    }
}
