//! Programs for trials, made of single instructions
//! (Documentation/bpf/standardization/instruction-set.rst).

use std::os::fd::{AsRawFd as _, OwnedFd};

// include/uapi/linux/bpf.h
const BPF_PSEUDO_MAP_FD: u8 = 1;

/// An unfinished program: eight bytes per instruction.
pub(super) struct Code(Vec<[u8; 8]>);

/// The register with the frame pointer.
const FP: u8 = 10;

impl Code {
    pub(super) fn new() -> Self {
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

    pub(super) fn call(self, helper: i32) -> Self {
        self.op(0x85, 0, 0, 0, helper)
    }

    /// `helper(fp - 8, 8, NULL)`
    pub(super) fn read_into_stack(self, helper: i32) -> Self {
        self.stack(1).set(2, 8).set(3, 0).call(helper)
    }

    /// `helper(0, 0, fp - 8, 8)`
    pub(super) fn get_ns_current_pid_tgid(self, helper: i32) -> Self {
        self.set(1, 0).set(2, 0).stack(3).set(4, 8).call(helper)
    }

    /// `dst = map`
    fn map(self, dst: u8, map: &OwnedFd) -> Self {
        self.op(0x18, dst, BPF_PSEUDO_MAP_FD, 0, map.as_raw_fd())
            .op(0, 0, 0, 0, 0)
    }

    /// `*(u64 *)(fp - 8) = 0`
    fn clear_stack(self) -> Self {
        self.op(0x7a, FP, 0, -8, 0)
    }

    /// `helper(ring, fp - 8, 8, 0)`
    pub(super) fn ringbuf_output(self, helper: i32, ring: &OwnedFd) -> Self {
        let code = self.clear_stack().map(1, ring).stack(2);
        code.set(3, 8).set(4, 0).call(helper)
    }

    /// `record = reserve(ring, 8, 0); if (record) submit(record, 0)`
    pub(super) fn ringbuf_reserve(self, reserve: i32, submit: i32, ring: &OwnedFd) -> Self {
        let code = self.map(1, ring).set(2, 8).set(3, 0).call(reserve);
        // `if (r0 == 0) goto +3; r1 = r0; r2 = 0; submit(r1, r2)`
        let code = code.op(0x15, 0, 0, 3, 0).op(0xbf, 1, 0, 0, 0);
        code.set(2, 0).call(submit)
    }

    /// `lookup(map, fp - 8); update(map, fp - 8, fp - 8, 0)`
    pub(super) fn look_up_and_update(self, look_up: i32, update: i32, map: &OwnedFd) -> Self {
        let code = self.clear_stack().map(1, map).stack(2).call(look_up);
        let code = code.clear_stack().map(1, map).stack(2).stack(3);
        code.set(4, 0).call(update)
    }

    /// `return 0`
    pub(super) fn finish(self) -> Vec<[u8; 8]> {
        self.set(0, 0).op(0x95, 0, 0, 0, 0).0
    }
}
