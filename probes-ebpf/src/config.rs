//! The constants that user space sets before load: the offsets of the kernel's fields, and the
//! probes' configuration. See [`exectrail_common::constants`].

use exectrail_common::{constants::FIRST_CONSTANT, probe_config::ProbeConfig};

/// A type that a constant can have.
pub(crate) trait Constant {
    /// The constant whose first word has this index.
    fn at<const WORD: usize>() -> Self;
}

/// Sets a register to a word.
macro_rules! word {
    ($index:expr) => {{
        #[cfg(target_arch = "bpf")]
        {
            let word: u32;
            // SAFETY: the assembly sets a register.
            unsafe {
                core::arch::asm!(
                    "{0} = {1}",
                    out(reg) word,
                    const FIRST_CONSTANT as usize + $index,
                    options(pure, nomem, nostack, preserves_flags)
                );
            }
            word
        }
        #[cfg(not(target_arch = "bpf"))]
        {
            let _ = (FIRST_CONSTANT, $index);
            0u32
        }
    }};
}

impl Constant for u32 {
    #[inline(always)]
    fn at<const WORD: usize>() -> Self {
        word!(WORD)
    }
}

impl Constant for u64 {
    #[inline(always)]
    fn at<const WORD: usize>() -> Self {
        let (first, second) = (Self::from(word!(WORD)), Self::from(word!(WORD + 1)));
        if cfg!(target_endian = "little") {
            second << 32 | first
        } else {
            first << 32 | second
        }
    }
}

/// The field of the configuration whose first word has this index. The argument is never called: it
/// only gives the type of the field.
#[inline(always)]
pub(crate) fn constant<T: Constant, const WORD: usize>(_: fn(&ProbeConfig) -> T) -> T {
    T::at::<WORD>()
}

/// A field of [`ProbeConfig`].
macro_rules! config {
    ($field:ident) => {
        $crate::config::constant::<
            _,
            {
                core::mem::offset_of!(exectrail_common::probe_config::ProbeConfig, $field)
                    / size_of::<u32>()
            },
        >(|config| config.$field)
    };
}
pub(crate) use config;

/// A field of [`exectrail_common::offsets::Offsets`]: the offset of a kernel field, or the size of
/// a kernel structure.
macro_rules! offset {
    ($field:ident) => {
        <u32 as $crate::config::Constant>::at::<
            {
                exectrail_common::constants::CONFIG_WORDS
                    + core::mem::offset_of!(exectrail_common::offsets::Offsets, $field)
                        / size_of::<u32>()
            },
        >()
    };
}
pub(crate) use offset;
