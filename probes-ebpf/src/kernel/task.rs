//! `struct task_struct`, and the structures that it points to.

use aya_ebpf::{helpers::bpf_get_current_task_btf, programs::BtfTracePointContext};

use super::{
    file::{File, kernel_path},
    pointer::{KernelPtr, field},
};
use crate::{
    config::{config, offset},
    maps::KernelPath,
};

/// `struct task_struct *`
#[derive(Clone, Copy)]
pub(crate) struct Task(pub(super) KernelPtr);

impl Task {
    /// The `n`th argument of the tracepoint.
    #[inline(always)]
    pub(crate) fn from_arg(ctx: &BtfTracePointContext, n: usize) -> Self {
        Self(KernelPtr::new(ctx.arg(n)))
    }

    /// The task that runs this program (Linux 5.11 and later).
    #[inline(always)]
    pub(crate) fn current() -> Self {
        // SAFETY: the helper takes no arguments and always succeeds.
        Self(KernelPtr::new(unsafe { bpf_get_current_task_btf() }.cast()))
    }

    /// The address as a number.
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

    /// Thread id; the group leader's is also the process id.
    #[inline(always)]
    pub(crate) fn pid(self) -> u32 {
        self.0.load(field!(task_pid))
    }

    /// Number of execs of the process, and of its ancestors before they forked.
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
    /// [`Self::thread_pid`] of the group leader is the same pointer, but the verifier takes longer
    /// for it. For each pointer loaded from a trusted task, the verifier searches all types of the
    /// kernel (`btf_nested_type_is_trusted`, kernel/bpf/btf.c, seen on Linux 6.18). For pointers
    /// loaded from `signal_struct`, the verifier does not do this.
    #[inline(always)]
    pub(crate) fn process_pid(self) -> KernelPtr {
        // `PIDTYPE_TGID` (include/linux/pid_types.h).
        let at = offset!(signal_pids) + 8;
        let pid: u64 = self.0.follow(field!(task_signal)).load_at(at);
        KernelPtr::new(pid as *const u8)
    }

    /// Id of the session in the init PID namespace: the process id of the session's first process.
    #[inline(always)]
    pub(crate) fn session_id(self) -> u32 {
        // `PIDTYPE_SID` (include/linux/pid_types.h).
        let at = offset!(signal_pids) + 24;
        let pid: u64 = self.0.follow(field!(task_signal)).load_at(at);
        // `numbers` is indexed by depth; the first is for the init PID namespace.
        KernelPtr::new(pid as *const u8).load_at(offset!(pid_numbers) + offset!(upid_nr))
    }

    /// 1 if the process has `no_new_privs`.
    #[inline(always)]
    pub(crate) fn no_new_privs(self) -> u64 {
        // `PFA_NO_NEW_PRIVS` is bit 0 (include/linux/sched.h).
        let flags: u64 = self.0.load(field!(task_atomic_flags));
        flags & 1
    }

    /// Depth of the task's PID namespace; 0 is the init PID namespace.
    #[inline(always)]
    pub(crate) fn pid_level(self) -> u32 {
        self.thread_pid().load(field!(pid_level))
    }

    /// Address of the `struct nsproxy`, the task's set of namespaces, as a number. Tasks in the
    /// same namespaces usually share one set.
    #[inline(always)]
    pub(crate) fn nsproxy(self) -> u64 {
        self.0.follow(field!(task_nsproxy)).number()
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

    /// Address of the `struct css_set`, the task's set of cgroups, as a number. Tasks in the same
    /// cgroups share one set.
    #[inline(always)]
    pub(crate) fn css_set(self) -> u64 {
        self.0.follow(field!(task_cgroups)).number()
    }

    /// The task's place in the cgroup hierarchy of pods: a `struct cgroup_subsys_state *` in cgroup
    /// v1, a `struct cgroup *` in the default hierarchy.
    #[inline(always)]
    fn css(self) -> KernelPtr {
        let css: u64 = self
            .0
            .follow(field!(task_cgroups))
            .load_at(config!(css_set_cgroup));
        KernelPtr::new(css as *const u8)
    }

    /// Id of the cgroup, if the hierarchy of pods is of cgroup v1.
    #[inline(always)]
    pub(crate) fn cgroup_id_v1(self) -> u64 {
        self.css()
            .follow(field!(css_cgroup))
            .follow(field!(cgroup_kn))
            .load(field!(kernfs_node_id))
    }

    /// Id of the cgroup, if the hierarchy of pods is the default one.
    #[inline(always)]
    pub(crate) fn cgroup_id_default(self) -> u64 {
        self.css()
            .follow(field!(cgroup_kn))
            .load(field!(kernfs_node_id))
    }

    /// The file that the process runs.
    #[inline(always)]
    pub(crate) fn exe(self) -> File {
        File(self.mm().follow(field!(mm_exe_file)))
    }

    /// The root of the process.
    #[inline(always)]
    pub(crate) fn root(self) -> KernelPath {
        let fs = self.0.follow(field!(task_fs));
        kernel_path(
            fs.follow(field!(fs_root_mnt)),
            fs.follow(field!(fs_root_dentry)),
        )
    }

    /// The working directory.
    #[inline(always)]
    pub(crate) fn cwd(self) -> KernelPath {
        let fs = self.0.follow(field!(task_fs));
        kernel_path(
            fs.follow(field!(fs_pwd_mnt)),
            fs.follow(field!(fs_pwd_dentry)),
        )
    }

    /// `struct dentry *` of the working directory.
    #[inline(always)]
    pub(crate) fn cwd_entry(self) -> KernelPtr {
        self.0.follow(field!(task_fs)).follow(field!(fs_pwd_dentry))
    }

    /// Device of the controlling terminal; 0 if there is none.
    #[inline(always)]
    pub(crate) fn tty(self) -> u32 {
        let Some(tty) = self
            .0
            .follow(field!(task_signal))
            .follow_if_any(field!(signal_tty))
        else {
            return 0;
        };
        let driver = tty.follow(field!(tty_driver));
        let (major, minor, index): (u32, u32, u32) = (
            driver.load(field!(tty_driver_major)),
            driver.load(field!(tty_driver_minor_start)),
            tty.load(field!(tty_index)),
        );
        // `MKDEV` (include/linux/kdev_t.h).
        major << 20 | minor.wrapping_add(index)
    }

    /// The permitted capabilities; bit N is capability number N.
    #[inline(always)]
    pub(crate) fn cap_permitted(self) -> u64 {
        // Before Linux 6.3 `kernel_cap_t` is an array of two numbers; the first has the lower
        // capabilities.
        let caps = offset!(cred_cap_permitted);
        let (low, high): (u32, u32) = (self.cred().load_at(caps), self.cred().load_at(caps + 4));
        u64::from(high) << 32 | u64::from(low)
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

    /// Whether this is the last living thread of the process. For use in `sched_process_exit`:
    /// `do_exit` (kernel/exit.c) has already subtracted this thread.
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
