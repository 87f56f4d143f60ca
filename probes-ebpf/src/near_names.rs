//! Reads the last names of the path of the file that runs, by direct loads. It reads only short
//! names, in the mount that the file is on. For most paths these are all the names.
//! [`crate::paths`] reads the rest by helper, which takes three times as long for a name.

use core::mem::offset_of;

use exectrail_common::record::{PATH_DELETED, PATH_READ};

use crate::{
    branchless::{differ, flag, opaque, select},
    config::offset,
    kernel::{KernelPtr, Task, field},
    maps::{Entry, KernelPath, SHORT_NAME, Scratch},
    paths::store,
};

/// Maximum number of names that are read here.
const NEAR_NAMES: u64 = 8;
/// Room for these names, bytes; a power of two.
const ROOM: u64 = NEAR_NAMES * SHORT_NAME as u64;

/// [`PATH_DELETED`] if this `struct dentry` was deleted, else 0.
#[inline(always)]
pub(crate) fn deleted(entry: KernelPtr) -> u64 {
    let pprev: u64 = entry
        .field(offset!(dentry_hash_pprev))
        .load_at(offset_of!(Entry, pprev) as u32);
    let parent = entry.follow(field!(dentry_parent));
    // An entry that is in no directory was deleted, unless it is its own parent (`d_unlinked`,
    // include/linux/dcache.h). The root of a file system and the entry of a memfd are their own
    // parents.
    let deleted = (differ(pprev, 0) ^ 1) & differ(parent.number(), entry.number());
    flag(deleted, PATH_DELETED).into()
}

/// Copies names of the path of the file that `task` runs to the beginning of the tail. Returns
/// whether the path is complete, that is, has reached the root of the process. Otherwise
/// [`crate::paths::copy_paths`] continues it.
#[inline(always)]
pub(crate) fn copy_near_names(task: Task, scratch: *mut Scratch) -> bool {
    // SAFETY: fields of the live map value.
    let (paths, tail) = unsafe {
        let tail = (&raw mut (*scratch).tail).cast::<u8>();
        (&raw mut (*scratch).paths, tail)
    };
    let exe = task.exe();
    let mut entry = exe.dentry();
    let start = offset!(dentry_hash_pprev);
    // Stored at once, because the program has little stack. Volatile, here and below: otherwise the
    // compiler may store the fields later, and keep them on the stack until then. SAFETY: a field
    // of the live map value.
    unsafe { (&raw mut (*paths).deleted).write_volatile(deleted(entry)) };
    let KernelPath {
        mnt, mount_root, ..
    } = exe.path();
    let root = task.root();
    // The entry at which the names end: the root of the process if that is in this mount, else the
    // root of the mount.
    let end = select(differ(mnt, root.mnt), mount_root, root.dentry);
    let (mut len, mut names) = (0, 0);
    for _ in 0..NEAR_NAMES {
        let address = entry.number();
        let above = entry.follow(field!(dentry_parent));
        // The entry of a memfd is its own parent: it is in no directory.
        if address == end || address == mount_root || address == above.number() {
            break;
        }
        let fields = entry.field(start);
        let length: u32 = fields.load_at(offset_of!(Entry, length) as u32);
        let name: u64 = fields.load_at(offset_of!(Entry, name) as u32);
        let inside = offset_of!(Entry, short_name) as u32;
        if length >= SHORT_NAME as u32 || name != address.wrapping_add((start + inside).into()) {
            break;
        }
        // Not a loop, whose offsets the verifier would not know.
        let words: [u64; SHORT_NAME / 8] = [
            fields.load_at(inside),
            fields.load_at(inside + 8),
            fields.load_at(inside + 16),
            fields.load_at(inside + 24),
        ];
        // If a rename has changed the length since it was read, the entry is read again, by helper.
        let again: u32 = fields.load_at(offset_of!(Entry, length) as u32);
        if again != length {
            break;
        }
        // The verifier does not know the length of all names together. A mask bounds it without a
        // branch.
        let at = (opaque(len) & (ROOM - 1)) as usize;
        // SAFETY: after this room, the tail still has more bytes than a short name.
        unsafe { store(tail.add(at), words, length) };
        len += u64::from(length) + 1;
        names += 1;
        entry = above;
    }
    let dentry = entry.number();
    // SAFETY: fields of the live map value.
    unsafe {
        if dentry == root.dentry && mnt == root.mnt {
            (&raw mut (*paths).exe_len).write_volatile(len as u32);
            let flags = (*paths).exe_flags | (*paths).deleted as u32 | u32::from(PATH_READ);
            (&raw mut (*paths).exe_flags).write_volatile(flags);
            return true;
        }
        (&raw mut (*paths).at.mnt).write_volatile(mnt);
        (&raw mut (*paths).at.dentry).write_volatile(dentry);
        (&raw mut (*paths).at.mount_root).write_volatile(mount_root);
        (&raw mut (*paths).len).write_volatile(len);
        (&raw mut (*paths).steps).write_volatile(names);
    }
    false
}
