//! The kernel fields that the probes read, by their names in the kernel's sources.
//!
//! Only this file connects a name such as `task_struct.nsproxy` with the field of [`Offsets`] that
//! gives the probes its offset. The names are valid for Linux 5.8 to 7.3.

use exectrail_common::offsets::{ABSENT, Offsets};

use crate::attach_points::{AttachPoint, AttachPoints, REQUIRED};
use crate::btf::{Btf, BtfError, kind};
use crate::missing::Missing;

/// What BTF gives for one field of [`Offsets`].
enum Wanted {
    /// Offset in bytes of a member, by its dotted path. If its path differs between kernels, `|`
    /// separates the paths. The probes load the member as a value of `size` bytes, so a member of
    /// another size would give a wrong value.
    Offset {
        member: &'static str,
        size: Option<u64>,
    },
    /// Size in bytes of the struct itself.
    SizeOfStruct,
}

const fn pointer(member: &'static str) -> Wanted {
    Wanted::Offset {
        member,
        size: Some(size_of::<usize>() as u64),
    }
}

const fn bytes(size: u64, member: &'static str) -> Wanted {
    Wanted::Offset {
        member,
        size: Some(size),
    }
}

/// A struct or an array, on whose size the probes do not depend.
const fn part(member: &'static str) -> Wanted {
    Wanted::Offset { member, size: None }
}

struct FieldRow {
    strukt: &'static str,
    wanted: Wanted,
    /// Whether a kernel may lack the member; the value is then [`ABSENT`].
    optional: bool,
    get: fn(&Offsets) -> u32,
    set: fn(&mut Offsets, u32),
}

macro_rules! fields {
    ($($field:ident = $strukt:literal, $wanted:expr $(, $optional:ident)?;)*) => {
        const FIELDS: &[FieldRow] = &[$(FieldRow {
            strukt: $strukt,
            wanted: $wanted,
            optional: false $(|| fields!(@$optional))?,
            get: |offsets| offsets.$field,
            set: |offsets, value| offsets.$field = value,
        }),*];
    };
    (@optional) => { true };
}

fields! {
    task_nsproxy = "task_struct", pointer("nsproxy");
    task_thread_pid = "task_struct", pointer("thread_pid");
    task_mm = "task_struct", pointer("mm");
    task_cred = "task_struct", pointer("cred");
    task_real_parent = "task_struct", pointer("real_parent");
    task_group_leader = "task_struct", pointer("group_leader");
    task_signal = "task_struct", pointer("signal");
    task_start_boottime = "task_struct", bytes(8, "start_boottime");
    task_pid = "task_struct", bytes(4, "pid");
    task_tgid = "task_struct", bytes(4, "tgid");
    task_self_exec_id = "task_struct", bytes(8, "self_exec_id");
    task_atomic_flags = "task_struct", bytes(8, "atomic_flags");
    task_comm = "task_struct", bytes(16, "comm");
    task_exit_code = "task_struct", bytes(4, "exit_code");
    task_cgroups = "task_struct", pointer("cgroups"), optional;
    task_fs = "task_struct", pointer("fs"), optional;
    css_set_dfl_cgrp = "css_set", pointer("dfl_cgrp"), optional;
    css_set_subsys = "css_set", part("subsys"), optional;
    css_cgroup = "cgroup_subsys_state", pointer("cgroup"), optional;
    cgroup_kn = "cgroup", pointer("kn"), optional;
    cgroup_level = "cgroup", bytes(4, "level"), optional;
    cgroup_ancestors = "cgroup", part("ancestors"), optional;
    cgroup_ancestor_ids = "cgroup", part("ancestor_ids"), optional;
    kernfs_node_id = "kernfs_node", bytes(8, "id"), optional;
    kernfs_node_parent = "kernfs_node", pointer("parent|__parent"), optional;
    kernfs_node_name = "kernfs_node", pointer("name"), optional;
    signal_live = "signal_struct", bytes(4, "live");
    signal_pids = "signal_struct", part("pids");
    signal_tty = "signal_struct", pointer("tty"), optional;
    tty_driver = "tty_struct", pointer("driver"), optional;
    tty_index = "tty_struct", bytes(4, "index"), optional;
    tty_driver_major = "tty_driver", bytes(4, "major"), optional;
    tty_driver_minor_start = "tty_driver", bytes(4, "minor_start"), optional;
    fs_root_mnt = "fs_struct", pointer("root.mnt"), optional;
    fs_root_dentry = "fs_struct", pointer("root.dentry"), optional;
    fs_pwd_mnt = "fs_struct", pointer("pwd.mnt"), optional;
    fs_pwd_dentry = "fs_struct", pointer("pwd.dentry"), optional;
    file_mnt = "file", pointer("f_path.mnt"), optional;
    file_dentry = "file", pointer("f_path.dentry"), optional;
    file_inode = "file", pointer("f_inode"), optional;
    inode_ino = "inode", bytes(8, "i_ino"), optional;
    inode_nlink = "inode", bytes(4, "i_nlink"), optional;
    inode_sb = "inode", pointer("i_sb"), optional;
    inode_size = "inode", Wanted::SizeOfStruct, optional;
    super_block_dev = "super_block", bytes(4, "s_dev"), optional;
    super_block_magic = "super_block", bytes(8, "s_magic"), optional;
    dentry_hash_pprev = "dentry", pointer("d_hash.pprev"), optional;
    dentry_parent = "dentry", pointer("d_parent"), optional;
    dentry_name = "dentry", pointer("d_name.name"), optional;
    dentry_short_name = "dentry", part("d_iname|d_shortname"), optional;
    vfsmount_root = "vfsmount", pointer("mnt_root"), optional;
    mount_mnt = "mount", part("mnt"), optional;
    mount_parent = "mount", pointer("mnt_parent"), optional;
    mount_mountpoint = "mount", pointer("mnt_mountpoint"), optional;
    nsproxy_pid_ns_for_children = "nsproxy", pointer("pid_ns_for_children");
    nsproxy_net_ns = "nsproxy", pointer("net_ns");
    nsproxy_mnt_ns = "nsproxy", pointer("mnt_ns");
    pid_level = "pid", bytes(4, "level");
    pid_numbers = "pid", part("numbers");
    upid_size = "upid", Wanted::SizeOfStruct;
    upid_nr = "upid", bytes(4, "nr");
    pid_namespace_level = "pid_namespace", bytes(4, "level");
    pid_namespace_parent = "pid_namespace", pointer("parent");
    pid_namespace_child_reaper = "pid_namespace", pointer("child_reaper");
    pid_namespace_inum = "pid_namespace", bytes(4, "ns.inum");
    pid_namespace_pid_allocated = "pid_namespace", bytes(4, "pid_allocated");
    net_inum = "net", bytes(4, "ns.inum");
    mnt_namespace_inum = "mnt_namespace", bytes(4, "ns.inum");
    mm_arg_start = "mm_struct", pointer("arg_start");
    mm_arg_end = "mm_struct", pointer("arg_end");
    mm_env_end = "mm_struct", pointer("env_end");
    mm_stack_vm = "mm_struct", pointer("stack_vm");
    mm_exe_file = "mm_struct", pointer("exe_file"), optional;
    binprm_argc = "linux_binprm", bytes(4, "argc");
    binprm_filename = "linux_binprm", pointer("filename");
    binprm_interp = "linux_binprm", pointer("interp");
    binprm_exec = "linux_binprm", pointer("exec");
    cred_uid = "cred", bytes(4, "uid");
    cred_gid = "cred", bytes(4, "gid");
    cred_euid = "cred", bytes(4, "euid");
    cred_egid = "cred", bytes(4, "egid");
    cred_cap_permitted = "cred", part("cap_permitted"), optional;
    cred_user_ns = "cred", pointer("user_ns");
    user_namespace_uid_map = "user_namespace", part("uid_map");
    user_namespace_gid_map = "user_namespace", part("gid_map");
    uid_gid_map_nr_extents = "uid_gid_map", bytes(4, "nr_extents");
    uid_gid_map_extent = "uid_gid_map", part("extent");
    uid_gid_extent_size = "uid_gid_extent", Wanted::SizeOfStruct;
    uid_gid_extent_first = "uid_gid_extent", bytes(4, "first");
    uid_gid_extent_lower_first = "uid_gid_extent", bytes(4, "lower_first");
    uid_gid_extent_count = "uid_gid_extent", bytes(4, "count");
}

// A field added to `Offsets` must be added here, too; otherwise its value is 0.
const _: () = assert!(
    FIELDS.len() == size_of::<Offsets>() / size_of::<u32>(),
    "every member of `Offsets` needs a line in `fields!`"
);

/// Number of fields that are looked up.
pub const FIELD_COUNT: usize = FIELDS.len();

/// Every value, with its names in the kernel's sources: struct, member, value in bytes. An entry
/// without a member is the size of the struct.
pub fn named(offsets: &Offsets) -> impl Iterator<Item = (&'static str, Option<&'static str>, u32)> {
    FIELDS.iter().map(|field| {
        let member = match field.wanted {
            Wanted::Offset { member, .. } => Some(member),
            Wanted::SizeOfStruct => None,
        };
        (field.strukt, member, (field.get)(offsets))
    })
}

/// Maximum number of structs of one name that are examined; kernels have at most two of one name.
const MAX_NAMESAKES: usize = 8;

/// The fields and tracepoints of the probes, as found in BTF.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// The offsets. Fields named in `missing` are zero.
    pub offsets: Offsets,
    /// The tracepoints and functions that the probes can be attached to.
    pub attach_points: AttachPoints,
    /// Everything that the probes need and the kernel lacks.
    pub missing: Vec<Missing>,
    /// Number of types in the BTF.
    pub types: u32,
    /// Indices of the controllers in `css_set.subsys`.
    pub controllers: Controllers,
    /// For each member whose name differs between kernels: the struct, and the name in this kernel.
    pub spellings: Vec<(&'static str, &'static str)>,
}

/// Indices of controllers in `css_set.subsys`, from `enum cgroup_subsys_id`
/// (include/linux/cgroup-defs.h). They depend on the kernel's configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Controllers {
    /// The pids controller.
    pub pids: Option<u32>,
    /// The memory controller.
    pub memory: Option<u32>,
}

/// What was found in one of several structs of the same name.
struct Candidate {
    /// The offsets, with those of all earlier structs.
    offsets: Offsets,
    /// The required members that it lacks.
    missing: Vec<Missing>,
    /// As in [`Resolved::spellings`].
    spellings: Vec<(&'static str, &'static str)>,
}

/// Looks up everything the probes need in the bytes of `/sys/kernel/btf/vmlinux`.
///
/// # Errors
///
/// If the bytes are not readable BTF. A missing field is no error: it is in [`Resolved::missing`],
/// or the value is [`ABSENT`] if the field is optional.
pub fn resolve(bytes: &[u8]) -> Result<Resolved, BtfError> {
    let mut structs: Vec<(&'static str, Vec<u32>)> = Vec::new();
    for field in FIELDS {
        if !structs.iter().any(|(name, _)| *name == field.strukt) {
            structs.push((field.strukt, Vec::new()));
        }
    }
    let mut attach_points = AttachPoints::default();
    let mut controllers_enum = None;

    let btf = Btf::parse(bytes, |kind, name, id| {
        if kind == kind::STRUCT {
            let wanted = structs
                .iter_mut()
                .find(|(wanted, _)| wanted.as_bytes() == name);
            if let Some((_, ids)) = wanted
                && ids.len() < MAX_NAMESAKES
            {
                ids.push(id);
            }
        } else if kind == kind::ENUM {
            if name == b"cgroup_subsys_id" {
                controllers_enum.get_or_insert(id);
            }
        } else {
            attach_points.note(kind, name, id);
        }
    })?;

    let mut offsets = Offsets::default();
    let mut missing = Vec::new();
    let mut spellings = Vec::new();
    for (strukt, ids) in structs {
        let wanted = || FIELDS.iter().filter(|field| field.strukt == strukt);
        // Of several structs of this name, this takes the one that lacks the fewest required
        // members; the first one if several lack equally few.
        let mut best: Option<Candidate> = None;
        for id in ids {
            let mut found = Candidate {
                offsets,
                missing: Vec::new(),
                spellings: Vec::new(),
            };
            for field in wanted() {
                match look_up(&btf, id, field)? {
                    Ok((value, spelling)) => {
                        (field.set)(&mut found.offsets, value);
                        found.spellings.extend(spelling.map(|name| (strukt, name)));
                    }
                    Err(_) if field.optional => (field.set)(&mut found.offsets, ABSENT),
                    Err(lack) => found.missing.push(lack),
                }
            }
            if best
                .as_ref()
                .is_none_or(|best| found.missing.len() < best.missing.len())
            {
                best = Some(found);
            }
        }
        match best {
            Some(found) => {
                offsets = found.offsets;
                missing.extend(found.missing);
                spellings.extend(found.spellings);
            }
            None => {
                for field in wanted().filter(|field| field.optional) {
                    (field.set)(&mut offsets, ABSENT);
                }
                if wanted().any(|field| !field.optional) {
                    missing.push(Missing::Struct { strukt });
                }
            }
        }
    }
    let controller = |name| match controllers_enum {
        Some(id) => btf.enumerator(id, name),
        None => Ok(None),
    };
    let controllers = Controllers {
        pids: controller("pids_cgrp_id")?,
        memory: controller("memory_cgrp_id")?,
    };
    let absent = REQUIRED
        .into_iter()
        .filter(|name| attach_points.id(AttachPoint::Tracepoint(name)).is_none());
    missing.extend(absent.map(|name| Missing::Tracepoint { name }));
    Ok(Resolved {
        offsets,
        attach_points,
        missing,
        types: btf.len(),
        controllers,
        spellings,
    })
}

/// A value for [`Offsets`]; and the name of the member, if its name differs between kernels.
type Value = (u32, Option<&'static str>);

fn look_up(btf: &Btf<'_>, id: u32, field: &FieldRow) -> Result<Result<Value, Missing>, BtfError> {
    let strukt = field.strukt;
    let Wanted::Offset { member, size } = &field.wanted else {
        return Ok(Ok((btf.get(id)?.size_or_type, None)));
    };
    let mut found = None;
    let mut spelling = None;
    for path in member.split('|') {
        found = btf.member(id, path)?;
        if found.is_some() {
            spelling = (path != *member).then_some(path);
            break;
        }
    }
    let Some(found) = found else {
        return Ok(Err(Missing::Field { strukt, member }));
    };
    let offset = u32::try_from(found.bits / 8)
        .ok()
        .filter(|_| found.bits.is_multiple_of(8));
    let (Some(offset), 0) = (offset, found.bit_field) else {
        return Ok(Err(Missing::Position {
            strukt,
            member,
            bits: found.bits,
        }));
    };
    let Some(expected) = *size else {
        return Ok(Ok((offset, spelling)));
    };
    let found = btf.size_of(found.type_id)?.unwrap_or_default();
    if found == expected {
        Ok(Ok((offset, spelling)))
    } else {
        Ok(Err(Missing::Size {
            strukt,
            member,
            found,
            expected,
        }))
    }
}
