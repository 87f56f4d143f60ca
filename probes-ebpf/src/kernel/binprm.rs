//! `struct linux_binprm`: an exec in progress.

use aya_ebpf::programs::BtfTracePointContext;

use super::pointer::{KernelPtr, field};
use crate::branchless::differ;

/// `struct linux_binprm *`
#[derive(Clone, Copy)]
pub(crate) struct Binprm(KernelPtr);

impl Binprm {
    /// The `n`th argument of the tracepoint.
    #[inline(always)]
    pub(crate) fn from_arg(ctx: &BtfTracePointContext, n: usize) -> Self {
        Self(KernelPtr::new(ctx.arg(n)))
    }

    #[inline(always)]
    pub(crate) fn argc(self) -> u32 {
        self.0.load(field!(binprm_argc))
    }

    /// Address of the filename: the kernel's own copy, which no process can write to.
    #[inline(always)]
    pub(crate) fn filename(self) -> u64 {
        self.0.follow(field!(binprm_filename)).number()
    }

    /// Address at which the kernel has put the filename on the new stack.
    #[inline(always)]
    pub(crate) fn exec(self) -> u64 {
        self.0.load(field!(binprm_exec))
    }

    /// 1 if an interpreter runs instead of the file, else 0. `bprm_change_interp` (fs/exec.c) then
    /// makes `interp` another string than `filename`.
    #[inline(always)]
    pub(crate) fn is_interpreted(self) -> u64 {
        let filename: u64 = self.0.load(field!(binprm_filename));
        let interp: u64 = self.0.load(field!(binprm_interp));
        differ(filename, interp)
    }
}
