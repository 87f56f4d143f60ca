//! Reads the paths of an exec: of the file that runs, and of the working directory.
//!
//! A path is read from its end to its beginning, up to the root of the process. Each step goes from
//! an entry of a directory (`struct dentry`) to the entry above it. At the root of a mount, the
//! step goes to the entry that the mount covers. The kernel does the same for `/proc/PID/exe`
//! (`prepend_path`, fs/d_path.c), with locks that a program here cannot take. So if an entry is
//! renamed meanwhile, the path has its old or its new name. At the moment of the change, the path
//! can have a mixture of both names.
//!
//! At the root of a mount, a computed address leads to the next entry. The verifier does not know
//! the type of what is at this address, so kernel memory is read by helper.

use core::mem::offset_of;

use aya_ebpf::helpers::generated::{bpf_probe_read_kernel, bpf_probe_read_kernel_str};
use exectrail_common::{
    probe_config::{FIELD_CWD, FIELD_EXE, FIELD_RELATIVE_CWD},
    record::{
        EXE_UPPER_LAYER, MAX_NAMES, MAX_PATH, PATH_CUT, PATH_OUTSIDE_DIRECTORIES, PATH_READ,
        PATH_UNREACHABLE,
    },
};

use crate::{
    branchless::opaque,
    config::{config, offset},
    kernel::File,
    kernel_read::read_u64,
    maps::{Entry, KernelPath, MAX_NAME, Paths, SCRATCH, SHORT_NAME},
};

/// `OVERLAYFS_SUPER_MAGIC` (include/uapi/linux/magic.h).
const OVERLAY: u64 = 0x794c_7630;

/// Copies the wanted paths to the tail of the scratch value of this CPU and lane, using its
/// [`Paths`]. Omits the names that [`crate::near_names`] has copied. Always returns 0: the kernel
/// requires a result.
///
/// A global function: the kernel verifies it separately from its callers, and only once.
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn copy_paths(lane: u64) -> u64 {
    let Some(scratch) = SCRATCH.get_ptr_mut(lane as u32) else {
        return 0;
    };
    // SAFETY: a pointer to the live map value of this CPU and lane, which no other program uses
    // meanwhile.
    let paths = unsafe { &mut (*scratch).paths };
    if config!(fields) & FIELD_EXE != 0 && paths.exe_flags & u32::from(PATH_READ) == 0 {
        let result = copy_path(paths, 0, lane);
        paths.exe_len = (result >> 32) as u32;
        paths.exe_flags |= result as u32;
    }
    if paths.wants_cwd != 0 {
        paths.at = paths.cwd;
        // Volatile: `copy_name` reads these fields. SAFETY: fields of the live map value.
        unsafe {
            (&raw mut paths.len).write_volatile(0);
            (&raw mut paths.steps).write_volatile(0);
            (&raw mut paths.deleted).write_volatile(paths.cwd_deleted);
        }
        let result = copy_path(paths, paths.exe_len.into(), lane);
        paths.cwd_len = (result >> 32) as u32;
        paths.cwd_flags = result as u32;
    }
    0
}

/// Whether the working directory of an exec with the filename at this address is wanted.
#[inline(always)]
pub(crate) fn wants_cwd(filename: u64) -> bool {
    // The verifier knows `fields`, so the conditions on `fields` add no path.
    config!(fields) & FIELD_CWD != 0
        || config!(fields) & FIELD_RELATIVE_CWD != 0 && is_relative(filename)
}

/// Whether the filename does not begin with `/`.
#[inline(always)]
fn is_relative(filename: u64) -> bool {
    let mut first = 0u8;
    // SAFETY: one byte into one; a fault gives an error and leaves 0.
    unsafe { bpf_probe_read_kernel((&raw mut first).cast(), 1, filename as *const _) };
    first != b'/'
}

/// Flags of the file that runs, except those that come from its path.
#[inline(always)]
pub(crate) fn file_flags(exe: File) -> u16 {
    // In `struct ovl_inode`, a pointer to the upper layer's entry follows the `struct inode`
    // (fs/overlayfs/ovl_entry.h, Linux 5.8 to 7.3).
    let is_upper = || read_u64(exe.inode().number() + u64::from(offset!(inode_size))) != 0;
    if exe.magic() == OVERLAY && is_upper() {
        EXE_UPPER_LAYER
    } else {
        0
    }
}

/// Copies the names of the path that ends at `paths.at` to the offset `base` of the tail. Returns
/// the length of all its names in the upper 32 bits, and `PATH_…` flags in the lower 32 bits.
/// Returns 0 if a name cannot be read.
#[inline(always)]
fn copy_path(paths: &mut Paths, base: u64, lane: u64) -> u64 {
    // Volatile: `copy_name` reads this field. SAFETY: a field of the live map value.
    unsafe { (&raw mut paths.base).write_volatile(base) };
    let mut end = PATH_CUT;
    for _ in 0..MAX_NAMES {
        let result = copy_name(lane);
        if result != 0 {
            end = result as u16;
            break;
        }
    }
    let flags = match end {
        UNREADABLE => return 0,
        end => (end & !END) | PATH_READ,
    };
    // `copy_name` has written these fields, so the verifier knows nothing about their values.
    // SAFETY: fields of the live map value.
    let (len, deleted) = unsafe {
        (
            (&raw const paths.len).read_volatile(),
            (&raw const paths.deleted).read_volatile(),
        )
    };
    len << 32 | deleted | u64::from(flags)
}

/// Result of [`copy_name`]: the path has ended.
const END: u16 = 1 << 14;
/// Result of [`copy_name`]: the name could not be read.
const UNREADABLE: u16 = 1 << 15;

/// Copies the name of the entry at `paths.at`, and moves to the entry above it. At the root of a
/// mount, it only moves to the entry that the mount covers. Returns 0 if the path continues.
///
/// The kernel verifies this as a separate function, once. As a part of the loop it would be
/// verified again for each possible number of mounts and bytes before it. Also, before Linux 6.2
/// the kernel refuses some loops that the compiler would make (`back-edge`, `check_cfg`,
/// kernel/bpf/verifier.c).
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn copy_name(lane: u64) -> u64 {
    let Some(scratch) = SCRATCH.get_ptr_mut(lane as u32) else {
        return UNREADABLE.into();
    };
    // SAFETY: as in `copy_paths`.
    let paths = unsafe { &mut (*scratch).paths };
    let KernelPath {
        mnt,
        dentry,
        mount_root,
    } = paths.at;
    if paths.steps >= MAX_NAMES as u64 {
        return (END | PATH_CUT).into();
    }
    paths.steps += 1;
    if dentry == paths.root.dentry && mnt == paths.root.mnt {
        return END.into();
    }
    if dentry == mount_root {
        let mount = mnt.wrapping_sub(offset!(mount_mnt).into());
        let above = read_u64(mount.wrapping_add(offset!(mount_parent).into()));
        if above == mount {
            return (END | PATH_UNREACHABLE).into();
        }
        let mnt = above.wrapping_add(offset!(mount_mnt).into());
        paths.at = KernelPath {
            mnt,
            dentry: read_u64(mount.wrapping_add(offset!(mount_mountpoint).into())),
            mount_root: read_u64(mnt.wrapping_add(offset!(vfsmount_root).into())),
        };
        return 0;
    }
    let entry = &raw mut paths.entry;
    let start = dentry.wrapping_add(offset!(dentry_hash_pprev).into());
    // SAFETY: reads as many bytes as the value has; a fault gives an error and leaves zeros
    // (`bpf_probe_read_kernel_common`, kernel/trace/bpf_trace.c).
    unsafe { bpf_probe_read_kernel(entry.cast(), size_of::<Entry>() as u32, start as *const _) };
    // SAFETY: the same part of the live map value. It is not copied to the stack, which is scarce.
    let entry = unsafe { &*entry };
    let (parent, name) = (entry.parent, entry.name);
    let base = opaque(paths.base).min((MAX_PATH + MAX_NAME) as u64);
    let len = opaque(paths.len).min(MAX_PATH as u64);
    // SAFETY: the offset in the tail is at most 2 * MAX_PATH + MAX_NAME, and the tail has at least
    // MAX_NAME bytes after this offset.
    let end = unsafe {
        let tail = (&raw mut (*scratch).tail).cast::<u8>();
        tail.add(base as usize).add(len as usize)
    };
    let inside = start.wrapping_add(offset_of!(Entry, short_name) as u64);
    // Most names are short, and inside their entry.
    let size = if name == inside && entry.length < SHORT_NAME as u32 {
        // SAFETY: `end` has SHORT_NAME bytes.
        unsafe { store(end, entry.short_name, entry.length) };
        i64::from(entry.length) + 1
    } else {
        // SAFETY: `end` has MAX_NAME bytes; a fault gives an error.
        unsafe { bpf_probe_read_kernel_str(end.cast(), MAX_NAME as u32, name as *const _) }
    };
    if size < 1 || parent == 0 {
        return UNREADABLE.into();
    }
    if parent == dentry && len != 0 {
        // The walk has reached the root of the file system but not the root of the mount. So a
        // directory of the path was moved out of the part that is mounted.
        return (END | PATH_UNREACHABLE).into();
    }
    let len = len + size as u64;
    paths.len = len;
    paths.at.dentry = parent;
    if parent == dentry {
        (END | PATH_OUTSIDE_DIRECTORIES).into()
    } else if len > MAX_PATH as u64 {
        (END | PATH_CUT).into()
    } else {
        0
    }
}

/// Stores a short name of this length, eight bytes with each instruction, and a NUL after the name.
/// `to` needs no alignment. The NUL is stored because the name may have changed while it was read.
///
/// # Safety
/// `to` has [`SHORT_NAME`] bytes.
#[inline(always)]
pub(crate) unsafe fn store(to: *mut u8, name: [u64; SHORT_NAME / 8], length: u32) {
    let [first, second, third, fourth] = name;
    #[cfg(target_arch = "bpf")]
    // SAFETY: the caller's promise, which the verifier checks.
    unsafe {
        core::arch::asm!(
            "*(u64 *)({0} + 0) = {1}",
            "*(u64 *)({0} + 8) = {2}",
            "*(u64 *)({0} + 16) = {3}",
            "*(u64 *)({0} + 24) = {4}",
            in(reg) to,
            in(reg) first,
            in(reg) second,
            in(reg) third,
            in(reg) fourth,
            options(nostack, preserves_flags)
        );
    }
    #[cfg(not(target_arch = "bpf"))]
    let _ = (first, second, third, fourth);
    let end = opaque(length.into()) & (SHORT_NAME as u64 - 1);
    // SAFETY: the caller's promise.
    unsafe { to.add(end as usize).write(0) };
}
