//! Tests by trial what the kernel lets this process do with BPF.
//!
//! The trials use the program type that the tracer loads: tracing programs of attach type
//! `BPF_TRACE_RAW_TP`. The feature probes of general libraries try other types. They try `fentry`,
//! which some kernels and architectures refuse although the tracer runs there; and for helpers they
//! try no type that needs a BTF target. The trials attach nothing, and the kernel frees everything
//! when the file descriptors close.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

// include/uapi/linux/bpf.h
const BPF_MAP_CREATE: u32 = 0;
const BPF_PROG_LOAD: u32 = 5;
const BPF_PROG_TYPE_RAW_TRACEPOINT: u32 = 17;
const BPF_PROG_TYPE_TRACING: u32 = 26;
const BPF_TRACE_RAW_TP: u32 = 23;
const BPF_PSEUDO_MAP_FD: u8 = 1;
const RINGBUF_OUTPUT: i32 = 130;
const PROBE_READ_KERNEL: i32 = 113;

/// A kind of map that the tracer makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Map {
    Hash = 1,
    Array = 2,
    PerCpuArray = 6,
    RingBuf = 27,
}

impl Map {
    pub(crate) const ALL: [Self; 4] = [Self::Hash, Self::Array, Self::PerCpuArray, Self::RingBuf];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Hash => "hash",
            Self::Array => "array",
            Self::PerCpuArray => "percpu_array",
            Self::RingBuf => "ringbuf",
        }
    }
}

/// Why the kernel did not load a program.
#[derive(Debug, thiserror::Error)]
#[error("{error}{}{log}", if log.is_empty() { "" } else { ": " })]
pub(crate) struct Refused {
    /// Error of bpf(2).
    pub(crate) error: io::Error,
    /// End of the verifier's log; empty if the verifier did not run.
    pub(crate) log: String,
}

impl Refused {
    /// Whether the verifier refused because this type of program lacks a helper; its message gives
    /// the helper's name.
    pub(crate) fn lacks_helper(&self) -> bool {
        ["unknown func ", "invalid func ", "cannot use helper "]
            .iter()
            .any(|words| self.log.contains(words))
    }
}

/// The part of `union bpf_attr` that BPF_MAP_CREATE reads; the kernel treats the rest as zero.
#[repr(C)]
struct MapAttr {
    map_type: u32,
    key_size: u32,
    value_size: u32,
    max_entries: u32,
    map_flags: u32,
}

/// The part of `union bpf_attr` that BPF_PROG_LOAD reads, up to `attach_btf_id` (Linux 5.5).
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
/// `attr` must be laid out as `command` requires, without padding, and every address in it must be
/// valid for the length beside it during the call.
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

/// Makes the smallest map of this kind.
pub(crate) fn make_map(map: Map) -> io::Result<OwnedFd> {
    let (key_size, value_size, max_entries) = match map {
        Map::Hash | Map::Array | Map::PerCpuArray => (4, 8, 1),
        // A ring is a whole number of pages, and a power of two (ringbuf_map_alloc).
        Map::RingBuf => (0, 0, rustix::param::page_size() as u32),
    };
    let mut attr = MapAttr {
        map_type: map as u32,
        key_size,
        value_size,
        max_entries,
        map_flags: 0,
    };
    // SAFETY: `MapAttr` is what BPF_MAP_CREATE reads, five u32, and has no addresses.
    unsafe { bpf(BPF_MAP_CREATE, &mut attr) }
}

/// Type of the trial program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Program {
    /// The type that the tracer loads, for the tracepoint with this BTF id.
    TpBtf(u32),
    /// Has the same helpers and needs no BTF: shows whether BPF is allowed at all.
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

    /// Loads a program that calls each helper that the tracer requires.
    pub(crate) fn load_with_helpers(self, ring: &OwnedFd) -> Result<(), Refused> {
        const GET_SMP_PROCESSOR_ID: i32 = 8;
        const GET_CURRENT_PID_TGID: i32 = 14;
        const GET_CURRENT_CGROUP_ID: i32 = 80;
        const PROBE_READ_USER: i32 = 112;
        const PROBE_READ_USER_STR: i32 = 114;
        const GET_NS_CURRENT_PID_TGID: i32 = 120;
        const KTIME_GET_BOOT_NS: i32 = 125;
        let code = Code::new()
            .call(GET_SMP_PROCESSOR_ID)
            .call(GET_CURRENT_PID_TGID)
            .call(GET_CURRENT_CGROUP_ID)
            .call(KTIME_GET_BOOT_NS)
            .read_into_stack(PROBE_READ_USER)
            .read_into_stack(PROBE_READ_USER_STR)
            .get_ns_current_pid_tgid(GET_NS_CURRENT_PID_TGID)
            .ringbuf_output(ring);
        self.load_code(code)
    }

    /// Loads a program that calls `bpf_probe_read_kernel`.
    pub(crate) fn load_with_read_kernel(self) -> Result<(), Refused> {
        self.load_code(Code::new().read_into_stack(PROBE_READ_KERNEL))
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
        // Load again with a log for the verifier's message; the first load has none, as a log takes
        // time.
        let mut log = vec![0_u8; 64 << 10];
        attr.log_level = 1;
        attr.log_size = log.len() as u32;
        attr.log_buf = log.as_mut_ptr() as u64;
        // SAFETY: as above, and the log has the length in `attr` and outlives the call.
        match unsafe { bpf(BPF_PROG_LOAD, &mut attr) } {
            Ok(_) => Ok(()),
            Err(error) => Err(Refused {
                error,
                log: verdict_of(&log),
            }),
        }
    }
}

/// The text of a verifier log.
fn verdict_of(log: &[u8]) -> String {
    let text = log.split(|&byte| byte == 0).next().unwrap_or_default();
    verifier_reason(&String::from_utf8_lossy(text)).to_owned()
}

/// The line of a verifier log that says why a program was refused; empty if there is none.
///
/// It is the last line before the statistics, if there are any (`print_verification_stats`,
/// kernel/bpf/verifier.c: `verification time`, `stack depth`, `processed`; from Linux 7.1 on also a
/// line for each function of the program, which begins with `(subprog`).
pub fn verifier_reason(log: &str) -> &str {
    const STATISTICS: [&str; 5] = [
        "processed ",
        "verification time ",
        "stack depth ",
        "(subprog ",
        "subprog ",
    ];
    log.lines()
        .map(str::trim)
        .rfind(|line| {
            let is_statistics = STATISTICS.iter().any(|start| line.starts_with(start));
            !line.is_empty() && !line.starts_with(';') && !is_statistics
        })
        .unwrap_or_default()
}

/// An unfinished program: eight bytes per instruction.
struct Code(Vec<[u8; 8]>);

/// Registers: r10 is the frame pointer.
const FP: u8 = 10;

impl Code {
    fn new() -> Self {
        Self(Vec::new())
    }

    fn op(mut self, code: u8, dst: u8, src: u8, off: i16, imm: i32) -> Self {
        let regs = if cfg!(target_endian = "big") {
            dst << 4 | src
        } else {
            src << 4 | dst
        };
        let ([o0, o1], [i0, i1, i2, i3]) = (off.to_ne_bytes(), imm.to_ne_bytes());
        self.0.push([code, regs, o0, o1, i0, i1, i2, i3]);
        self
    }

    /// `dst = imm`
    fn set(self, dst: u8, imm: i32) -> Self {
        self.op(0xb7, dst, 0, 0, imm)
    }

    /// `dst = fp - 8`
    fn stack(self, dst: u8) -> Self {
        self.op(0xbf, dst, FP, 0, 0).op(0x07, dst, 0, 0, -8)
    }

    fn call(self, helper: i32) -> Self {
        self.op(0x85, 0, 0, 0, helper)
    }

    /// `helper(fp - 8, 8, NULL)`
    fn read_into_stack(self, helper: i32) -> Self {
        self.stack(1).set(2, 8).set(3, 0).call(helper)
    }

    /// `helper(0, 0, fp - 8, 8)`
    fn get_ns_current_pid_tgid(self, helper: i32) -> Self {
        self.set(1, 0).set(2, 0).stack(3).set(4, 8).call(helper)
    }

    /// `*(u64 *)(fp - 8) = 0; bpf_ringbuf_output(ring, fp - 8, 8, 0)`
    fn ringbuf_output(self, ring: &OwnedFd) -> Self {
        self.op(0x7a, FP, 0, -8, 0)
            .op(0x18, 1, BPF_PSEUDO_MAP_FD, 0, ring.as_raw_fd())
            .op(0, 0, 0, 0, 0)
            .stack(2)
            .set(3, 8)
            .set(4, 0)
            .call(RINGBUF_OUTPUT)
    }

    /// `return 0`
    fn finish(self) -> Vec<[u8; 8]> {
        self.set(0, 0).op(0x95, 0, 0, 0, 0).0
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

    #[test]
    fn statistics_are_no_reason() {
        let log = "R7 unbounded memory access, make sure to bounds check any such access\n\
            verification time 1042 usec\n\
            stack depth 88+0\n\
            (subprog 0 (failed_any) static insns_self 96 insns_total 96)\n\
            (subprog 1 (memset) static insns_self 0 insns_total 0)\n\
            processed 96 insns (limit 1000000) max_states_per_insn 0 total_states 8\n";
        assert_eq!(
            verifier_reason(log),
            "R7 unbounded memory access, make sure to bounds check any such access"
        );
        assert_eq!(verifier_reason("processed 3 insns\n"), "");
        assert_eq!(verifier_reason(""), "");
    }

    #[test]
    fn the_verifiers_verdict_is_its_last_line() {
        let log = b"0: (85) call bpf_probe_read_kernel#113\n\
            program of this type cannot use helper bpf_probe_read_kernel#113\n\
            processed 4 insns (limit 1000000) max_states_per_insn 0\n\0\0rest";
        let refused = Refused {
            error: io::Error::from_raw_os_error(22),
            log: verdict_of(log),
        };
        assert!(refused.lacks_helper());
        assert_eq!(
            refused.to_string(),
            "Invalid argument (os error 22): \
             program of this type cannot use helper bpf_probe_read_kernel#113"
        );
        assert_eq!(verdict_of(&[0xff; 64]).chars().count(), 64);
        assert_eq!(verdict_of(b""), "");
    }
}
