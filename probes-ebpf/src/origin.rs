//! Which file runs, and where the process is.

use exectrail_common::{
    probe_config::{FIELD_CAP_GAINED, FIELD_CWD, FIELD_EXE, FIELD_RELATIVE_CWD, FIELD_TTY},
    record::Origin,
};

use crate::{
    branchless::opaque,
    config::config,
    kernel::{Binprm, File, Task},
    maps::Scratch,
    paths::{PATHS, Paths, Place, copy_paths},
};

/// Writes the [`Origin`] of the record in `scratch`, with the wanted paths. `caps` are the
/// capabilities before the exec. Returns the length of the paths.
///
/// Each value is stored at once: before Linux 6.11, this program and the functions that it calls
/// have 512 bytes of stack together, each rounded up to 32 (`check_max_stack_depth`,
/// kernel/bpf/verifier.c).
#[inline(always)]
pub(crate) fn write(task: Task, bprm: Binprm, caps: u64, scratch: &mut Scratch, lane: u64) -> u64 {
    // Constants to the verifier, which follows only one of the paths each.
    let fields = config!(fields);
    let exe = (fields & FIELD_EXE != 0).then(|| task.exe());
    scratch.paths = Paths {
        exe: exe.map_or(Place::NOWHERE, File::place),
        cwd: Place::NOWHERE,
        root: Place::NOWHERE,
        at: Place::NOWHERE,
        inode: exe.map_or(0, |exe| exe.inode().number()),
        magic: exe.map_or(0, File::magic),
        filename: bprm.filename(),
        mount_root: 0,
        base: 0,
        len: 0,
        exe_len: 0,
        cwd_len: 0,
        exe_flags: 0,
        cwd_flags: 0,
    };
    scratch.head.origin = Origin {
        exe_ino: exe.map_or(0, File::ino),
        cap_gained: if fields & FIELD_CAP_GAINED != 0 {
            task.cap_permitted() & !caps
        } else {
            0
        },
        exe_dev: exe.map_or(0, File::dev),
        exe_nlink: exe.map_or(0, File::nlink),
        tty: if fields & FIELD_TTY != 0 {
            task.tty()
        } else {
            0
        },
        execs: task.self_exec_id() as u32,
        parent_execs: task.real_parent().self_exec_id() as u32,
        exe_flags: 0,
        cwd_flags: 0,
        exe_len: 0,
        cwd_len: 0,
        zero: 0,
    };
    if fields & (FIELD_EXE | FIELD_CWD | FIELD_RELATIVE_CWD) != 0 {
        scratch.paths.cwd = task.cwd();
        scratch.paths.root = task.root();
        copy_paths(lane);
    }
    // Volatile, as the function above has written it. The verifier does not know what.
    // SAFETY: a part of the live value.
    let paths = unsafe { (&raw const scratch.paths).read_volatile() };
    let exe_len = opaque(paths.exe_len.into()).min(PATHS as u64 / 2);
    let cwd_len = opaque(paths.cwd_len.into()).min(PATHS as u64 / 2);
    let origin = &mut scratch.head.origin;
    origin.exe_flags = paths.exe_flags as u16;
    origin.cwd_flags = paths.cwd_flags as u16;
    origin.exe_len = exe_len as u16;
    origin.cwd_len = cwd_len as u16;
    exe_len + cwd_len
}
