//! The offsets of the running kernel's fields that the probes read.
//!
//! User space resolves these from `/sys/kernel/btf/vmlinux` before the probes are loaded. It puts
//! most offsets into the instructions that load a field. An offset that code computes with goes
//! into an instruction that sets a register ([`crate::constants`]). So the verifier sees constants
//! and checks every load against the kernel's own types (`btf_struct_access`, kernel/bpf/btf.c,
//! Linux 5.5 and later).

use bytemuck::{Pod, Zeroable};

/// In the object file, the offset of a load is this number plus the index of the field in
/// [`Offsets`]. No other load in the object has an offset this large.
///
/// User space replaces this sum by the field's offset before it loads the object. So one
/// instruction loads a field. If the offset were read from a map first, a load would take five.
pub const FIRST_FIELD: i16 = 0x7e00;

/// Number of fields in [`Offsets`].
pub const FIELDS: usize = size_of::<Offsets>() / size_of::<u32>();

/// The offset of a field that the running kernel lacks and that the probes can do without.
pub const ABSENT: u32 = u32::MAX;

/// Byte offsets of kernel fields, and sizes of kernel structures. The comment of each field has the
/// kernel's name.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Offsets {
    /// `task_struct.nsproxy`: `struct nsproxy *`
    pub task_nsproxy: u32,
    /// `task_struct.thread_pid`: `struct pid *`
    pub task_thread_pid: u32,
    /// `task_struct.mm`: `struct mm_struct *`
    pub task_mm: u32,
    /// `task_struct.cred`: `const struct cred *`
    pub task_cred: u32,
    /// `task_struct.real_parent`: `struct task_struct *`
    pub task_real_parent: u32,
    /// `task_struct.group_leader`: `struct task_struct *`
    pub task_group_leader: u32,
    /// `task_struct.signal`: `struct signal_struct *`
    pub task_signal: u32,
    /// `task_struct.start_boottime`: `u64`, nanoseconds since boot, suspend included
    pub task_start_boottime: u32,
    /// `task_struct.pid`: `pid_t`, of the thread
    pub task_pid: u32,
    /// `task_struct.tgid`: `pid_t`
    pub task_tgid: u32,
    /// `task_struct.self_exec_id`: number of execs of a process, plus its parent's number at the
    /// fork; `u64` since Linux 5.7
    pub task_self_exec_id: u32,
    /// `task_struct.atomic_flags`: `unsigned long`; its lowest bit is `PFA_NO_NEW_PRIVS`
    pub task_atomic_flags: u32,
    /// `task_struct.comm`: `char[16]`
    pub task_comm: u32,
    /// `task_struct.exit_code`: `int`
    pub task_exit_code: u32,
    /// `task_struct.cgroups`: `struct css_set *`; [`ABSENT`] without CONFIG_CGROUPS, like all
    /// fields of cgroups
    pub task_cgroups: u32,
    /// `task_struct.fs`: `struct fs_struct *`
    pub task_fs: u32,
    /// `css_set.dfl_cgrp`: `struct cgroup *`, of the default hierarchy (cgroup v2)
    pub css_set_dfl_cgrp: u32,
    /// `css_set.subsys`: `struct cgroup_subsys_state *[]`, by controller
    pub css_set_subsys: u32,
    /// `cgroup_subsys_state.cgroup`: `struct cgroup *`
    pub css_cgroup: u32,
    /// `cgroup.kn`: `struct kernfs_node *`
    pub cgroup_kn: u32,
    /// `cgroup.level`: `int`, 0 for the root of a hierarchy
    pub cgroup_level: u32,
    /// `cgroup.ancestors`: `struct cgroup *[]`, by level (Linux 6.1 and later)
    pub cgroup_ancestors: u32,
    /// `cgroup.ancestor_ids`: `u64[]`, by level (before Linux 6.1)
    pub cgroup_ancestor_ids: u32,
    /// `kernfs_node.id`: `u64`, the inode number of the directory on 64-bit kernels
    pub kernfs_node_id: u32,
    /// `kernfs_node.parent`, called `__parent` since Linux 6.15: `struct kernfs_node *`
    pub kernfs_node_parent: u32,
    /// `kernfs_node.name`: `const char *`
    pub kernfs_node_name: u32,
    /// `signal_struct.live`: `atomic_t`
    pub signal_live: u32,
    /// `signal_struct.pids`, an array of pointers by `enum pid_type`
    pub signal_pids: u32,
    /// `signal_struct.tty`: `struct tty_struct *`
    pub signal_tty: u32,
    /// `tty_struct.driver`: `struct tty_driver *`
    pub tty_driver: u32,
    /// `tty_struct.index`: `int`
    pub tty_index: u32,
    /// `tty_driver.major`: `int`
    pub tty_driver_major: u32,
    /// `tty_driver.minor_start`: `int`
    pub tty_driver_minor_start: u32,
    /// `fs_struct.root.mnt`: `struct vfsmount *`
    pub fs_root_mnt: u32,
    /// `fs_struct.root.dentry`: `struct dentry *`
    pub fs_root_dentry: u32,
    /// `fs_struct.pwd.mnt`: `struct vfsmount *`
    pub fs_pwd_mnt: u32,
    /// `fs_struct.pwd.dentry`: `struct dentry *`
    pub fs_pwd_dentry: u32,
    /// `file.f_path.mnt`: `struct vfsmount *`
    pub file_mnt: u32,
    /// `file.f_path.dentry`: `struct dentry *`
    pub file_dentry: u32,
    /// `file.f_inode`: `struct inode *`
    pub file_inode: u32,
    /// `inode.i_ino`: `unsigned long`
    pub inode_ino: u32,
    /// `inode.i_nlink`: `unsigned int`
    pub inode_nlink: u32,
    /// `inode.i_sb`: `struct super_block *`
    pub inode_sb: u32,
    /// `sizeof(struct inode)`
    pub inode_size: u32,
    /// `super_block.s_dev`: `dev_t`
    pub super_block_dev: u32,
    /// `super_block.s_magic`: `unsigned long`
    pub super_block_magic: u32,
    /// `dentry.d_hash.pprev`: `struct hlist_bl_node **`, NULL if the entry was deleted
    pub dentry_hash_pprev: u32,
    /// `dentry.d_parent`: `struct dentry *`
    pub dentry_parent: u32,
    /// `dentry.d_name.name`: `const unsigned char *`
    pub dentry_name: u32,
    /// `dentry.d_shortname`, called `d_iname` before Linux 6.14: the place of a short name
    pub dentry_short_name: u32,
    /// `vfsmount.mnt_root`: `struct dentry *`
    pub vfsmount_root: u32,
    /// `mount.mnt`: `struct vfsmount`
    pub mount_mnt: u32,
    /// `mount.mnt_parent`: `struct mount *`
    pub mount_parent: u32,
    /// `mount.mnt_mountpoint`: `struct dentry *`
    pub mount_mountpoint: u32,
    /// `nsproxy.pid_ns_for_children`: `struct pid_namespace *`
    pub nsproxy_pid_ns_for_children: u32,
    /// `nsproxy.net_ns`: `struct net *`
    pub nsproxy_net_ns: u32,
    /// `nsproxy.mnt_ns`: `struct mnt_namespace *`
    pub nsproxy_mnt_ns: u32,
    /// `pid.level`: `unsigned int`
    pub pid_level: u32,
    /// `pid.numbers`: `struct upid[]`
    pub pid_numbers: u32,
    /// `sizeof(struct upid)`
    pub upid_size: u32,
    /// `upid.nr`: `int`
    pub upid_nr: u32,
    /// `pid_namespace.level`: `unsigned int`
    pub pid_namespace_level: u32,
    /// `pid_namespace.parent`: `struct pid_namespace *`
    pub pid_namespace_parent: u32,
    /// `pid_namespace.child_reaper`: `struct task_struct *`
    pub pid_namespace_child_reaper: u32,
    /// `pid_namespace.ns.inum`: `unsigned int`
    pub pid_namespace_inum: u32,
    /// `pid_namespace.pid_allocated`: `unsigned int`, ids in use; the top bit is set while
    /// processes can be added (`PIDNS_ADDING`, include/linux/pid_namespace.h)
    pub pid_namespace_pid_allocated: u32,
    /// `net.ns.inum`: `unsigned int`
    pub net_inum: u32,
    /// `mnt_namespace.ns.inum`: `unsigned int`
    pub mnt_namespace_inum: u32,
    /// `mm_struct.arg_start`: `unsigned long`
    pub mm_arg_start: u32,
    /// `mm_struct.arg_end`: `unsigned long`
    pub mm_arg_end: u32,
    /// `mm_struct.env_end`: `unsigned long`
    pub mm_env_end: u32,
    /// `mm_struct.stack_vm`: `unsigned long`, pages of the stack
    pub mm_stack_vm: u32,
    /// `mm_struct.exe_file`: `struct file *`
    pub mm_exe_file: u32,
    /// `linux_binprm.argc`: `int`
    pub binprm_argc: u32,
    /// `linux_binprm.filename`: `const char *`
    pub binprm_filename: u32,
    /// `linux_binprm.interp`: `const char *`
    pub binprm_interp: u32,
    /// `linux_binprm.exec`: `unsigned long`, address of the filename on the new stack
    pub binprm_exec: u32,
    /// `cred.uid`: `kuid_t`
    pub cred_uid: u32,
    /// `cred.gid`: `kgid_t`
    pub cred_gid: u32,
    /// `cred.euid`: `kuid_t`
    pub cred_euid: u32,
    /// `cred.egid`: `kgid_t`
    pub cred_egid: u32,
    /// `cred.cap_permitted`: `kernel_cap_t`, 64 bits
    pub cred_cap_permitted: u32,
    /// `cred.user_ns`: `struct user_namespace *`
    pub cred_user_ns: u32,
    /// `user_namespace.uid_map`: `struct uid_gid_map`
    pub user_namespace_uid_map: u32,
    /// `user_namespace.gid_map`: `struct uid_gid_map`
    pub user_namespace_gid_map: u32,
    /// `uid_gid_map.nr_extents`: `u32`
    pub uid_gid_map_nr_extents: u32,
    /// `uid_gid_map.extent`: `struct uid_gid_extent[5]`
    pub uid_gid_map_extent: u32,
    /// `sizeof(struct uid_gid_extent)`
    pub uid_gid_extent_size: u32,
    /// `uid_gid_extent.first`: `u32`, first id inside the namespace
    pub uid_gid_extent_first: u32,
    /// `uid_gid_extent.lower_first`: `u32`, first id outside it
    pub uid_gid_extent_lower_first: u32,
    /// `uid_gid_extent.count`: `u32`
    pub uid_gid_extent_count: u32,
}

impl Offsets {
    /// Whether paths and the properties of a file can be read. The kernel must have all the fields,
    /// and those of `struct dentry` must be at the distances that the probes expect.
    pub fn has_paths(&self) -> bool {
        let behind = |bytes| self.dentry_hash_pprev.wrapping_add(bytes);
        let are_neighbors = self.dentry_parent == behind(8)
            && self.dentry_name == behind(24)
            && self.dentry_short_name == behind(40);
        are_neighbors
            && ![
                self.task_fs,
                self.fs_root_mnt,
                self.fs_root_dentry,
                self.fs_pwd_mnt,
                self.fs_pwd_dentry,
                self.mm_exe_file,
                self.file_mnt,
                self.file_dentry,
                self.file_inode,
                self.inode_ino,
                self.inode_nlink,
                self.inode_sb,
                self.super_block_dev,
                self.super_block_magic,
                self.dentry_hash_pprev,
                self.dentry_parent,
                self.dentry_name,
                self.dentry_short_name,
                self.vfsmount_root,
                self.mount_mnt,
                self.mount_parent,
                self.mount_mountpoint,
            ]
            .contains(&ABSENT)
    }

    /// Whether the kernel has all fields that the probes need to read the terminal.
    pub fn has_tty(&self) -> bool {
        ![
            self.signal_tty,
            self.tty_driver,
            self.tty_index,
            self.tty_driver_major,
            self.tty_driver_minor_start,
        ]
        .contains(&ABSENT)
    }
}
