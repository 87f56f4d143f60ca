//! Finds out by trial what the kernel lets this process do with BPF.
//!
//! The trials use the program type that exectrail loads: tracing programs of attach type
//! `BPF_TRACE_RAW_TP`. Without BTF, the trials use raw tracepoints instead. They attach nothing.
//! The kernel frees their maps and programs when the file descriptors close.
//!
//! The feature probes of general libraries are no substitute, for two reasons. They try `fentry`,
//! which is refused by some kernels and architectures on which exectrail runs. They try no helper
//! in a program type that needs a BTF target.

mod code;
mod refusal;

use std::io;
use std::os::fd::{FromRawFd, OwnedFd};

use code::Code;
use refusal::reason_in;

pub(crate) use refusal::Refused;
pub use refusal::verifier_reason;

// include/uapi/linux/bpf.h
const BPF_MAP_CREATE: u32 = 0;
const BPF_PROG_LOAD: u32 = 5;
const BPF_PROG_TYPE_RAW_TRACEPOINT: u32 = 17;
const BPF_PROG_TYPE_TRACING: u32 = 26;
const BPF_TRACE_RAW_TP: u32 = 23;
const BPF_F_NO_PREALLOC: u32 = 1;

const MAP_LOOKUP_ELEM: i32 = 1;
const MAP_UPDATE_ELEM: i32 = 2;
const GET_SMP_PROCESSOR_ID: i32 = 8;
const PROBE_READ_USER: i32 = 112;
const PROBE_READ_KERNEL: i32 = 113;
const PROBE_READ_USER_STR: i32 = 114;
const PROBE_READ_KERNEL_STR: i32 = 115;
const GET_NS_CURRENT_PID_TGID: i32 = 120;
const KTIME_GET_BOOT_NS: i32 = 125;
const RINGBUF_OUTPUT: i32 = 130;
const RINGBUF_RESERVE: i32 = 131;
const RINGBUF_SUBMIT: i32 = 132;

/// The helpers of the trials: all helpers that exectrail calls, except those for failed execs.
pub(crate) const HELPERS: [i32; 12] = [
    MAP_LOOKUP_ELEM,
    MAP_UPDATE_ELEM,
    GET_SMP_PROCESSOR_ID,
    PROBE_READ_USER,
    PROBE_READ_KERNEL,
    PROBE_READ_USER_STR,
    PROBE_READ_KERNEL_STR,
    GET_NS_CURRENT_PID_TGID,
    KTIME_GET_BOOT_NS,
    RINGBUF_OUTPUT,
    RINGBUF_RESERVE,
    RINGBUF_SUBMIT,
];

/// A kind of map that exectrail makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Map {
    Hash = 1,
    Array = 2,
    PerCpuArray = 6,
    LruHash = 9,
    LpmTrie = 11,
    RingBuf = 27,
}

impl Map {
    pub(crate) const ALL: [Self; 6] = [
        Self::Hash,
        Self::Array,
        Self::PerCpuArray,
        Self::LruHash,
        Self::LpmTrie,
        Self::RingBuf,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Hash => "hash",
            Self::Array => "array",
            Self::PerCpuArray => "percpu_array",
            Self::LruHash => "lru_hash",
            Self::LpmTrie => "lpm_trie",
            Self::RingBuf => "ringbuf",
        }
    }
}

/// The beginning of `union bpf_attr` for BPF_MAP_CREATE; the kernel treats the rest as zero.
#[repr(C)]
struct MapAttr {
    map_type: u32,
    key_size: u32,
    value_size: u32,
    max_entries: u32,
    map_flags: u32,
}

/// The beginning of `union bpf_attr` for BPF_PROG_LOAD, up to `attach_btf_id` (Linux 5.5).
#[repr(C)]
#[derive(Default)]
struct ProgAttr {
    prog_type: u32,
    insn_cnt: u32,
    insns: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log_buf: u64,
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

/// Calls bpf(2) with a command that makes a file descriptor.
///
/// # Safety
///
/// `attr` must be laid out as `command` requires, without padding. Every address in `attr` must be
/// valid during the call: for the length beside the address, or up to the NUL of a string.
unsafe fn bpf<T>(command: u32, attr: &mut T) -> io::Result<OwnedFd> {
    let attr: *mut T = attr;
    // SAFETY: `attr` points to `size_of::<T>()` bytes; the caller guarantees their meaning.
    let fd = unsafe { libc::syscall(libc::SYS_bpf, command, attr, size_of::<T>()) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made this file descriptor, close-on-exec, and nothing else owns
    // it. File descriptors fit an int.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// Makes a small map of this kind.
pub(crate) fn make_map(map: Map) -> io::Result<OwnedFd> {
    let (key_size, value_size, max_entries) = match map {
        Map::Hash | Map::Array | Map::PerCpuArray | Map::LruHash => (4, 8, 1),
        // A key begins with a length of 32 bits (struct bpf_lpm_trie_key).
        Map::LpmTrie => (8, 8, 1),
        // The size of a ring is a power of two and a multiple of the page size (ringbuf_map_alloc).
        Map::RingBuf => (0, 0, rustix::param::page_size() as u32),
    };
    let mut attr = MapAttr {
        map_type: map as u32,
        key_size,
        value_size,
        max_entries,
        // The kernel makes a trie only with this flag (trie_alloc, kernel/bpf/lpm_trie.c).
        map_flags: if map == Map::LpmTrie {
            BPF_F_NO_PREALLOC
        } else {
            0
        },
    };
    // SAFETY: `MapAttr` is what BPF_MAP_CREATE reads, five u32, and has no addresses.
    unsafe { bpf(BPF_MAP_CREATE, &mut attr) }
}

/// Type of the trial program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Program {
    /// The type that exectrail loads, for the tracepoint with this BTF id.
    TpBtf(u32),
    /// This type has the same helpers and needs no BTF: it shows whether BPF is allowed at all.
    RawTracepoint,
}

impl Program {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::TpBtf(_) => "tp_btf/sched_process_exec",
            Self::RawTracepoint => "raw_tracepoint",
        }
    }

    /// Loads a program that does nothing.
    pub(crate) fn load(self) -> Result<(), Refused> {
        self.load_code(Code::new())
    }

    /// Loads a program that calls the helpers that exectrail requires, except those that read
    /// kernel memory.
    pub(crate) fn load_with_helpers(self, ring: &OwnedFd, hash: &OwnedFd) -> Result<(), Refused> {
        let code = Code::new()
            .call(GET_SMP_PROCESSOR_ID)
            .call(KTIME_GET_BOOT_NS)
            .read_into_stack(PROBE_READ_USER)
            .read_into_stack(PROBE_READ_USER_STR)
            .get_ns_current_pid_tgid(GET_NS_CURRENT_PID_TGID)
            .look_up_and_update(MAP_LOOKUP_ELEM, MAP_UPDATE_ELEM, hash)
            .ringbuf_output(RINGBUF_OUTPUT, ring)
            .ringbuf_reserve(RINGBUF_RESERVE, RINGBUF_SUBMIT, ring);
        self.load_code(code)
    }

    /// Loads a program that calls the helpers that read kernel memory.
    pub(crate) fn load_with_read_kernel(self) -> Result<(), Refused> {
        let code = Code::new().read_into_stack(PROBE_READ_KERNEL);
        self.load_code(code.read_into_stack(PROBE_READ_KERNEL_STR))
    }

    fn load_code(self, code: Code) -> Result<(), Refused> {
        let insns = code.finish();
        let mut attr = ProgAttr {
            prog_type: BPF_PROG_TYPE_RAW_TRACEPOINT,
            insn_cnt: insns.len() as u32,
            insns: insns.as_ptr() as u64,
            // Tracing helpers are for programs under the GPL only (`gpl_only`, struct
            // bpf_func_proto).
            license: c"GPL".as_ptr() as u64,
            ..ProgAttr::default()
        };
        if let Self::TpBtf(id) = self {
            attr.prog_type = BPF_PROG_TYPE_TRACING;
            attr.expected_attach_type = BPF_TRACE_RAW_TP;
            attr.attach_btf_id = id;
        }
        // SAFETY: `ProgAttr` is what BPF_PROG_LOAD reads, without padding (see the test), and the
        // instructions and the license outlive the call.
        if unsafe { bpf(BPF_PROG_LOAD, &mut attr) }.is_ok() {
            return Ok(());
        }
        // The first load has no log, because a log takes time; load again to get the verifier's
        // message.
        let mut log = vec![0_u8; 64 << 10];
        attr.log_level = 1;
        attr.log_size = log.len() as u32;
        attr.log_buf = log.as_mut_ptr() as u64;
        // SAFETY: as above, and the log has the length in `attr` and outlives the call.
        match unsafe { bpf(BPF_PROG_LOAD, &mut attr) } {
            Ok(_) => Ok(()),
            Err(error) => Err(Refused {
                error,
                log: reason_in(&log),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_lie_where_the_kernel_reads_them() {
        use std::mem::offset_of;
        assert_eq!(offset_of!(ProgAttr, log_buf), 32);
        assert_eq!(offset_of!(ProgAttr, expected_attach_type), 68);
        assert_eq!(offset_of!(ProgAttr, func_info), 80);
        assert_eq!(offset_of!(ProgAttr, attach_btf_id), 108);
        assert_eq!(size_of::<ProgAttr>(), 112);
        assert_eq!(size_of::<MapAttr>(), 20);
    }
}
