//! Kernel structures, seen through offsets that user space resolved from BTF.
//!
//! Each type is a pointer that the verifier knows the BTF type of. A load at a constant offset
//! is one instruction, checked at load time against the kernel's own type and, where the
//! pointer is NULL or stale, yielding 0 (`PROBE_MEM`, kernel/bpf/verifier.c, Linux 5.5 and later).

use aya_ebpf::{helpers::bpf_get_current_task_btf, programs::BtfTracePointContext};
use exectrail_common::{
    offsets::{FIRST_FIELD, Offsets},
    target::{NsId, Own},
};

use crate::branchless::{differ, opaque};

/// Where fields are; set by user space before load, then frozen.
#[unsafe(no_mangle)]
// SAFETY: all fields are integers, for which zero is a value.
pub(crate) static OFFSETS: Offsets = unsafe { core::mem::zeroed() };

/// Who the sidecar is; set by user space before load, then frozen.
#[unsafe(no_mangle)]
// SAFETY: all fields are integers, for which zero is a value.
pub(crate) static OWN: Own = unsafe { core::mem::zeroed() };

/// The offset of a field. Volatile, or the compiler would take it for the zero above.
macro_rules! offset {
    ($field:ident) => {
        // SAFETY: reads an initialised static of plain integers.
        unsafe { core::ptr::read_volatile(&raw const $crate::kernel::OFFSETS.$field) }
    };
}
pub(crate) use offset;

/// A field of a kernel structure.
#[derive(Clone, Copy)]
pub(crate) struct Field<const INDEX: usize>;

/// The field of that name in [`Offsets`].
macro_rules! field {
    ($field:ident) => {
        $crate::kernel::Field::<
            {
                core::mem::offset_of!(exectrail_common::offsets::Offsets, $field) / size_of::<u32>()
            },
        >
    };
}
pub(crate) use field;

/// What a field can be loaded as.
pub(crate) trait Word: Copy {
    /// Loads the field in one instruction, which user space puts the offset into (see
    /// [`FIRST_FIELD`]).
    ///
    /// The compiler may make two loads of one field one, even with a store in between: nothing here
    /// depends on seeing a field change.
    fn load<const INDEX: usize>(base: *const u8) -> Self;
}

macro_rules! word {
    ($word:ty, $size:literal) => {
        impl Word for $word {
            #[inline(always)]
            #[expect(
                clippy::pointers_in_nomem_asm_block,
                reason = "the compiler may make two loads one, see `KernelPtr::load`"
            )]
            fn load<const INDEX: usize>(base: *const u8) -> Self {
                #[cfg(target_arch = "bpf")]
                {
                    let value;
                    // SAFETY: the verifier rejects the program unless the field lies within the BTF
                    // type of the pointer; the kernel gives 0 where the memory is not there.
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

/// A field of [`OWN`].
macro_rules! own {
    ($field:ident) => {
        // SAFETY: reads an initialised static of plain integers.
        unsafe { core::ptr::read_volatile(&raw const $crate::kernel::OWN.$field) }
    };
}
pub(crate) use own;

/// A pointer into kernel memory that the verifier knows the type of.
#[derive(Clone, Copy)]
pub(crate) struct KernelPtr(*const u8);

impl KernelPtr {
    /// A pointer that the kernel gave.
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
    fn follow<const INDEX: usize>(self, field: Field<INDEX>) -> Self {
        let address: u64 = self.load(field);
        Self(address as *const u8)
    }

    /// Loads what is at `offset`, a constant to the verifier.
    #[inline(always)]
    pub(crate) fn load_at<T: Copy>(self, offset: u32) -> T {
        // SAFETY: the verifier rejects the program unless this load lies within the BTF type of
        // the pointer; the kernel gives 0 where the memory is not there.
        unsafe { core::ptr::read_volatile(self.0.add(offset as usize).cast()) }
    }

    /// The address of the field at `offset`.
    #[inline(always)]
    pub(crate) fn field(self, offset: u32) -> Self {
        Self(self.0.wrapping_add(offset as usize))
    }

    /// The bare address.
    #[inline(always)]
    pub(crate) fn address(self) -> *const u8 {
        self.0
    }

    /// The same as a number, which the verifier lets be computed with, rather than a pointer: of
    /// what there is to make one of the other, it lets pass a swap of bytes (`check_alu_op`,
    /// kernel/bpf/verifier.c).
    #[inline(always)]
    fn number(self) -> u64 {
        opaque((self.0 as u64).swap_bytes()).swap_bytes()
    }
}

/// `struct task_struct *`
#[derive(Clone, Copy)]
pub(crate) struct Task(KernelPtr);

impl Task {
    /// The `n`th argument of the tracepoint.
    #[inline(always)]
    pub(crate) fn from_arg(ctx: &BtfTracePointContext, n: usize) -> Self {
        Self(KernelPtr(ctx.arg(n)))
    }

    /// The task that runs this program (Linux 5.11 and later).
    #[inline(always)]
    pub(crate) fn current() -> Self {
        // SAFETY: the helper takes no arguments and always succeeds.
        Self(KernelPtr(unsafe { bpf_get_current_task_btf() }.cast()))
    }

    /// The bare address, as a number.
    #[inline(always)]
    pub(crate) fn address(self) -> u64 {
        self.0.number()
    }

    #[inline(always)]
    pub(crate) fn group_leader(self) -> Self {
        Self(self.0.follow(field!(task_group_leader)))
    }

    #[inline(always)]
    pub(crate) fn real_parent(self) -> Self {
        Self(self.0.follow(field!(task_real_parent)))
    }

    #[inline(always)]
    pub(crate) fn tgid(self) -> u32 {
        self.0.load(field!(task_tgid))
    }

    /// Id of the thread, which is the process's where it is the group leader.
    #[inline(always)]
    pub(crate) fn pid(self) -> u32 {
        self.0.load(field!(task_pid))
    }

    /// How often the process and its ancestors have executed something.
    #[inline(always)]
    pub(crate) fn self_exec_id(self) -> u64 {
        self.0.load(field!(task_self_exec_id))
    }

    #[inline(always)]
    pub(crate) fn start_boottime(self) -> u64 {
        self.0.load(field!(task_start_boottime))
    }

    /// The two halves of `comm`.
    #[inline(always)]
    pub(crate) fn comm(self) -> [u64; 2] {
        let comm = offset!(task_comm);
        [self.0.load_at(comm), self.0.load_at(comm + 8)]
    }

    /// `struct pid *` of the thread.
    #[inline(always)]
    pub(crate) fn thread_pid(self) -> KernelPtr {
        self.0.follow(field!(task_thread_pid))
    }

    /// `struct pid *` of the process.
    ///
    /// The group leader's thread has the same, but each pointer loaded from a task that the
    /// verifier trusts makes it search all types of the kernel (`btf_nested_type_is_trusted`,
    /// kernel/bpf/btf.c, seen on Linux 6.18); those loaded from `signal_struct` do not.
    #[inline(always)]
    pub(crate) fn process_pid(self) -> KernelPtr {
        // `PIDTYPE_TGID` (include/linux/pid_types.h).
        let place = offset!(signal_pids) + 8;
        let pid: u64 = self.0.follow(field!(task_signal)).load_at(place);
        KernelPtr(pid as *const u8)
    }

    /// Depth of the PID namespace that the task is in; 0 is the init PID namespace.
    #[inline(always)]
    pub(crate) fn pid_level(self) -> u32 {
        self.thread_pid().load(field!(pid_level))
    }

    /// Address of the `struct nsproxy`, as a number: the set of namespaces that the task is in,
    /// which it shares with tasks that are in the same ones.
    #[inline(always)]
    pub(crate) fn nsproxy(self) -> u64 {
        self.0.follow(field!(task_nsproxy)).number()
    }

    /// The PID namespace that the task's next child will be in: the task's own or, after
    /// `unshare(CLONE_NEWPID)`, one below.
    #[inline(always)]
    pub(crate) fn pid_ns_for_children(self) -> PidNs {
        PidNs(
            self.0
                .follow(field!(task_nsproxy))
                .follow(field!(nsproxy_pid_ns_for_children)),
        )
    }

    /// The PID namespace that the task is in, at depth `level`.
    #[inline(always)]
    pub(crate) fn active_pid_ns(self, level: u32) -> PidNs {
        self.pid_ns_for_children().at(level)
    }

    /// Inode number of the network namespace.
    #[inline(always)]
    pub(crate) fn net_ns(self) -> u32 {
        self.0
            .follow(field!(task_nsproxy))
            .follow(field!(nsproxy_net_ns))
            .load(field!(net_inum))
    }

    /// Inode number of the mount namespace.
    #[inline(always)]
    pub(crate) fn mnt_ns(self) -> u32 {
        self.0
            .follow(field!(task_nsproxy))
            .follow(field!(nsproxy_mnt_ns))
            .load(field!(mnt_namespace_inum))
    }

    /// `struct mm_struct *`
    #[inline(always)]
    pub(crate) fn mm(self) -> KernelPtr {
        self.0.follow(field!(task_mm))
    }

    /// Address of the `struct css_set`, as a number: the set of cgroups that the task is in, which
    /// it shares with tasks that are in the same ones.
    #[inline(always)]
    pub(crate) fn css_set(self) -> u64 {
        self.0.follow(field!(task_cgroups)).number()
    }

    /// The task's place in the hierarchy of cgroups that pods are in.
    #[inline(always)]
    fn place(self) -> KernelPtr {
        let place: u64 = self
            .0
            .follow(field!(task_cgroups))
            .load_at(own!(css_set_cgroup));
        KernelPtr(place as *const u8)
    }

    /// Id of the cgroup, where that hierarchy is cgroup v1's.
    #[inline(always)]
    pub(crate) fn cgroup_id_v1(self) -> u64 {
        self.place()
            .follow(field!(css_cgroup))
            .follow(field!(cgroup_kn))
            .load(field!(kernfs_node_id))
    }

    /// Id of the cgroup, where that hierarchy is the default one.
    #[inline(always)]
    pub(crate) fn cgroup_id_default(self) -> u64 {
        self.place()
            .follow(field!(cgroup_kn))
            .load(field!(kernfs_node_id))
    }

    /// `struct cred *`, the subjective credentials.
    #[inline(always)]
    pub(crate) fn cred(self) -> KernelPtr {
        self.0.follow(field!(task_cred))
    }

    /// `struct user_namespace *` of the credentials.
    #[inline(always)]
    pub(crate) fn user_ns(self) -> KernelPtr {
        self.cred().follow(field!(cred_user_ns))
    }

    /// Whether no other thread of the process lives. For use in `sched_process_exit`: `do_exit`
    /// (kernel/exit.c) has counted this thread out before.
    #[inline(always)]
    pub(crate) fn is_last_thread(self) -> bool {
        let live: u32 = self.0.follow(field!(task_signal)).load(field!(signal_live));
        live == 0
    }

    /// Status and signal, as wait(2) has them.
    #[inline(always)]
    pub(crate) fn exit_code(self) -> u32 {
        self.0.load(field!(task_exit_code))
    }
}

/// `struct linux_binprm *`
#[derive(Clone, Copy)]
pub(crate) struct Binprm(KernelPtr);

impl Binprm {
    /// The `n`th argument of the tracepoint.
    #[inline(always)]
    pub(crate) fn from_arg(ctx: &BtfTracePointContext, n: usize) -> Self {
        Self(KernelPtr(ctx.arg(n)))
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

    /// Where the kernel has put the filename on the new stack.
    #[inline(always)]
    pub(crate) fn exec(self) -> u64 {
        self.0.load(field!(binprm_exec))
    }

    /// 1 where an interpreter was put in the place of the file: `bprm_change_interp`
    /// (fs/exec.c) makes `interp` another string than `filename`. Else 0.
    #[inline(always)]
    pub(crate) fn is_interpreted(self) -> u64 {
        let filename: u64 = self.0.load(field!(binprm_filename));
        let interp: u64 = self.0.load(field!(binprm_interp));
        differ(filename, interp)
    }
}

/// Deepest nesting of PID namespaces, the init one included (`MAX_PID_NS_LEVEL` is 32,
/// include/linux/pid_namespace.h).
pub(crate) const MAX_LEVELS: u32 = 33;

/// `struct pid_namespace *`
#[derive(Clone, Copy)]
pub(crate) struct PidNs(KernelPtr);

impl PidNs {
    /// The bare address, as a number: it names the namespace for as long as that lives.
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

    /// This one or that above it at depth `level`.
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

    /// The first process inside, or another thread of it once its first thread has exited.
    #[inline(always)]
    pub(crate) fn reaper(self) -> Task {
        Task(self.0.follow(field!(pid_namespace_child_reaper)))
    }

    /// Identity. Through the group leader, as the reaper's first thread may exit before others.
    #[inline(always)]
    pub(crate) fn id(self) -> NsId {
        NsId {
            start: self.reaper().group_leader().start_boottime(),
            inum: self.inum(),
            zero: 0,
        }
    }
}
