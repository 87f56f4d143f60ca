//! Writes which file runs, in which directory, and other properties of the exec.

use exectrail_common::probe_config::{
    FIELD_CAP_GAINED, FIELD_CWD, FIELD_EXE, FIELD_RELATIVE_CWD, FIELD_TTY,
};

use crate::{
    branchless::opaque,
    config::config,
    kernel::{Binprm, Task},
    maps::{PATHS, Scratch},
    near_names::{copy_near_names, deleted},
    paths::{copy_paths, file_flags, wants_cwd},
};

/// Writes the [`exectrail_common::record::Origin`] of the record in `scratch`, with the wanted
/// paths. `caps` are the capabilities before the exec. Returns the length of the paths.
///
/// Each value is stored at once, because stack is scarce. Before Linux 6.13, this program and the
/// functions that it calls share 512 bytes of stack. Before 6.9, the part of each function is also
/// rounded up to a multiple of 32 (`check_max_stack_depth`, kernel/bpf/verifier.c).
#[inline(always)]
pub(crate) fn write(task: Task, bprm: Binprm, caps: u64, scratch: &mut Scratch, lane: u64) -> u64 {
    // The verifier knows these values, and follows only one path for each.
    let fields = config!(fields);
    let wants_exe = fields & FIELD_EXE != 0;
    let exe = task.exe();
    let scratch = &raw mut *scratch;
    // SAFETY: places inside the live value.
    let (paths, origin) = unsafe { (&raw mut (*scratch).paths, &raw mut (*scratch).head.origin) };
    // Each field is stored separately: for neighboring zeros the compiler would call a function
    // that stores them byte by byte. SAFETY: fields of the live value.
    unsafe {
        set(&raw mut (*origin).execs, task.self_exec_id() as u32);
        let parent = task.real_parent();
        set(
            &raw mut (*origin).parent_execs,
            parent.self_exec_id() as u32,
        );
        set(&raw mut (*origin).zero, 0);
        if wants_exe {
            set(&raw mut (*paths).exe_flags, file_flags(exe).into());
            set(&raw mut (*origin).exe_ino, exe.ino());
            set(&raw mut (*origin).exe_dev, exe.dev());
            set(&raw mut (*origin).exe_nlink, exe.nlink());
        } else {
            set(&raw mut (*paths).exe_flags, 0);
            set(&raw mut (*origin).exe_ino, 0);
            set(&raw mut (*origin).exe_dev, 0);
            set(&raw mut (*origin).exe_nlink, 0);
        }
        let gained = if fields & FIELD_CAP_GAINED != 0 {
            task.cap_permitted() & !caps
        } else {
            0
        };
        set(&raw mut (*origin).cap_gained, gained);
        let tty = if fields & FIELD_TTY != 0 {
            task.tty()
        } else {
            0
        };
        set(&raw mut (*origin).tty, tty);
        set(&raw mut (*paths).exe_len, 0);
        set(&raw mut (*paths).cwd_len, 0);
        set(&raw mut (*paths).cwd_flags, 0);
    }
    if fields & (FIELD_EXE | FIELD_CWD | FIELD_RELATIVE_CWD) != 0 {
        let is_complete = !wants_exe || copy_near_names(task, scratch);
        let wants_cwd = wants_cwd(bprm.filename());
        if !is_complete || wants_cwd {
            // SAFETY: as above.
            unsafe {
                set(&raw mut (*paths).root, task.root());
                set(&raw mut (*paths).cwd, task.cwd());
                set(&raw mut (*paths).cwd_deleted, deleted(task.cwd_entry()));
                set(&raw mut (*paths).wants_cwd, wants_cwd.into());
            }
            copy_paths(lane);
        }
    }
    // `copy_near_names` and `copy_paths` may have written these fields. They are in a map, so the
    // verifier knows nothing about their values.
    // SAFETY: fields of the live value.
    let (exe_len, cwd_len, exe_flags, cwd_flags) = unsafe {
        (
            (&raw const (*paths).exe_len).read_volatile(),
            (&raw const (*paths).cwd_len).read_volatile(),
            (&raw const (*paths).exe_flags).read_volatile(),
            (&raw const (*paths).cwd_flags).read_volatile(),
        )
    };
    let exe_len = opaque(exe_len.into()).min(PATHS as u64 / 2);
    let cwd_len = opaque(cwd_len.into()).min(PATHS as u64 / 2);
    // SAFETY: as above.
    unsafe {
        set(&raw mut (*origin).exe_flags, exe_flags as u16);
        set(&raw mut (*origin).cwd_flags, cwd_flags as u16);
        set(&raw mut (*origin).exe_len, exe_len as u16);
        set(&raw mut (*origin).cwd_len, cwd_len as u16);
    }
    exe_len + cwd_len
}

/// Stores a value.
///
/// # Safety
/// `place` is valid for writes.
#[inline(always)]
unsafe fn set<T>(place: *mut T, value: T) {
    // SAFETY: the caller's promise.
    unsafe { place.write_volatile(value) };
}
