//! `struct pid_namespace`.

use super::{KernelPtr, field};

/// Maximum depth of PID namespaces, with the init one (`MAX_PID_NS_LEVEL` is 32,
/// include/linux/pid_namespace.h).
pub(crate) const MAX_LEVELS: u32 = 33;

/// `struct pid_namespace *`
#[derive(Clone, Copy)]
pub(crate) struct PidNs(pub(super) KernelPtr);

impl PidNs {
    /// The address as a number: it identifies the namespace while the namespace is alive.
    #[inline(always)]
    pub(crate) fn address(self) -> u64 {
        self.0.number()
    }

    #[inline(always)]
    pub(crate) fn level(self) -> u32 {
        self.0.load(field!(pid_namespace_level))
    }

    #[inline(always)]
    pub(crate) fn parent(self) -> Self {
        Self(self.0.follow(field!(pid_namespace_parent)))
    }

    #[inline(always)]
    pub(crate) fn inum(self) -> u32 {
        self.0.load(field!(pid_namespace_inum))
    }

    /// This namespace, or the one above it at depth `level`.
    #[inline(always)]
    pub(crate) fn at(self, level: u32) -> Self {
        let mut ns = self;
        for _ in 0..MAX_LEVELS {
            if ns.level() <= level {
                break;
            }
            ns = ns.parent();
        }
        ns
    }
}
