//! A pointer to a kernel structure, and loads of its fields.

use exectrail_common::offsets::FIRST_FIELD;

use crate::branchless::opaque;

/// A field of a kernel structure.
#[derive(Clone, Copy)]
pub(crate) struct Field<const INDEX: usize>;

/// The field of that name in [`exectrail_common::offsets::Offsets`].
macro_rules! field {
    ($field:ident) => {
        $crate::kernel::pointer::Field::<
            {
                core::mem::offset_of!(exectrail_common::offsets::Offsets, $field) / size_of::<u32>()
            },
        >
    };
}
pub(crate) use field;

/// A type that a field can be loaded as.
pub(crate) trait Word: Copy {
    /// Loads the field with one instruction. User space puts the offset into that instruction (see
    /// [`FIRST_FIELD`]).
    ///
    /// The compiler may merge two loads of a field, even across a store. That does no harm: no
    /// program here depends on seeing a field change.
    fn load<const INDEX: usize>(base: *const u8) -> Self;
}

macro_rules! word {
    ($word:ty, $size:literal) => {
        impl Word for $word {
            #[inline(always)]
            #[expect(
                clippy::pointers_in_nomem_asm_block,
                reason = "the compiler may make two loads one, see `Word::load`"
            )]
            fn load<const INDEX: usize>(base: *const u8) -> Self {
                #[cfg(target_arch = "bpf")]
                {
                    let value;
                    // SAFETY: the verifier rejects the program unless the field lies within the BTF
                    // type of the pointer. The kernel gives 0 if the memory is not mapped.
                    unsafe {
                        core::arch::asm!(
                            concat!("{0} = *(", $size, " *)({1} + {2})"),
                            out(reg) value,
                            in(reg) base,
                            const FIRST_FIELD as usize + INDEX,
                            options(pure, nomem, nostack, preserves_flags)
                        );
                    }
                    value
                }
                #[cfg(not(target_arch = "bpf"))]
                {
                    let _ = (base, FIRST_FIELD);
                    0
                }
            }
        }
    };
}
word!(u32, "u32");
word!(u64, "u64");

/// A pointer into kernel memory with a BTF type that the verifier knows.
#[derive(Clone, Copy)]
pub(crate) struct KernelPtr(*const u8);

impl KernelPtr {
    /// Wraps a pointer from the kernel.
    #[inline(always)]
    pub(crate) fn new(address: *const u8) -> Self {
        Self(address)
    }

    /// Loads a field.
    #[inline(always)]
    pub(crate) fn load<T: Word, const INDEX: usize>(self, _: Field<INDEX>) -> T {
        T::load::<INDEX>(self.0)
    }

    /// Follows the pointer in a field.
    #[inline(always)]
    pub(crate) fn follow<const INDEX: usize>(self, field: Field<INDEX>) -> Self {
        let address: u64 = self.load(field);
        Self(address as *const u8)
    }

    /// Follows the pointer in a field that is often NULL. A load from NULL would fault on some
    /// kernels, and a fault takes as long as the rest of the program.
    #[inline(always)]
    pub(super) fn follow_if_any<const INDEX: usize>(self, field: Field<INDEX>) -> Option<Self> {
        let address: u64 = self.load(field);
        (address != 0).then_some(Self(address as *const u8))
    }

    /// Loads the value at `offset`. The verifier must know the number `offset`.
    #[inline(always)]
    pub(crate) fn load_at<T: Copy>(self, offset: u32) -> T {
        // SAFETY: the verifier rejects the program unless this load lies within the BTF type of the
        // pointer. The kernel gives 0 if the memory is not mapped.
        unsafe { core::ptr::read_volatile(self.0.add(offset as usize).cast()) }
    }

    /// The address of the field at `offset`.
    #[inline(always)]
    pub(crate) fn field(self, offset: u32) -> Self {
        Self(self.0.wrapping_add(offset as usize))
    }

    /// The address.
    #[inline(always)]
    pub(crate) fn address(self) -> *const u8 {
        self.0
    }

    /// The address as a number, with which the verifier allows any arithmetic. For the verifier, a
    /// byte swap turns a pointer into a number (`check_alu_op`, kernel/bpf/verifier.c); a second
    /// swap restores the address.
    #[inline(always)]
    pub(crate) fn number(self) -> u64 {
        opaque((self.0 as u64).swap_bytes()).swap_bytes()
    }
}
