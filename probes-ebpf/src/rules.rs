//! Decides by rules which execs are suppressed.
//!
//! The patterns are in maps, by field. A look-up finds the longest pattern that matches. The value
//! of this pattern is the number of the first rule that matches, which can be a rule with a shorter
//! pattern; user space computes the value. The lowest number of all fields decides, so no loop over
//! the rules is needed.

use aya_ebpf::{
    helpers::{
        bpf_ktime_get_boot_ns,
        generated::{bpf_probe_read_kernel, bpf_probe_read_kernel_str},
    },
    macros::map,
    maps::{HashMap, LpmTrie, PerCpuArray, lpm_trie::Key},
};
use exectrail_common::{
    counters::LANES,
    record::COMM_LEN,
    suppression::{
        FILENAME_WINDOW, MAX_RULES, Matched, NO_RULE, RuleSet, SUFFIX_WINDOW, Suppressed,
    },
};

use crate::{
    branchless::opaque,
    early,
    kernel::{Binprm, Task, field},
    lane::Lane,
};

/// Set by user space before load, then frozen.
#[unsafe(no_mangle)]
// SAFETY: all fields are integers, for which zero is a value.
static RULES: RuleSet = unsafe { core::mem::zeroed() };

/// A field of [`RULES`]. Volatile, or the compiler would use the zero above.
macro_rules! rules {
    ($field:ident) => {
        // SAFETY: reads an initialized static of plain integers.
        unsafe { core::ptr::read_volatile(&raw const RULES.$field) }
    };
}

/// Patterns of filenames. A pattern for the whole text ends in NUL; a prefix does not.
#[map]
static FILENAME_RULES: LpmTrie<[u8; FILENAME_WINDOW], Matched> =
    LpmTrie::with_max_entries(MAX_RULES as u32, 0);

/// Suffixes of filenames, with their bytes reversed.
#[map]
static SUFFIX_RULES: LpmTrie<[u8; SUFFIX_WINDOW], Matched> =
    LpmTrie::with_max_entries(MAX_RULES as u32, 0);

/// Patterns of comms, in the same form as those of filenames.
#[map]
static COMM_RULES: LpmTrie<[u8; COMM_LEN], Matched> =
    LpmTrie::with_max_entries(MAX_RULES as u32, 0);

/// User ids.
#[map]
static UID_RULES: HashMap<u32, Matched> = HashMap::with_max_entries(MAX_RULES as u32, 0);

/// Counts of suppressed execs, by rule and lane.
#[map]
static SUPPRESSED: PerCpuArray<[Suppressed; MAX_RULES]> = PerCpuArray::with_max_entries(LANES, 0);

/// Memory for the filename to look up.
#[repr(C)]
pub(crate) struct FilenameKeys {
    whole: Key<[u8; FILENAME_WINDOW]>,
    backwards: Key<[u8; SUFFIX_WINDOW]>,
    /// The end of the filename, at the end of this array.
    end: [u64; SUFFIX_WINDOW / 8],
    /// Unused: the verifier bounds the beginning and the length of a read separately, and so needs
    /// room for both.
    after_end: [u64; SUFFIX_WINDOW / 8],
}

/// See [`FilenameKeys`]; by lane.
#[map]
static FILENAME_KEY: PerCpuArray<FilenameKeys> = PerCpuArray::with_max_entries(LANES, 0);

/// Whether rules suppress the exec of `task`; if so, it is counted.
#[inline(always)]
pub(crate) fn exclude<const LANE: u32>(task: Task, bprm: Binprm, _: Lane<LANE>) -> bool {
    // The verifier knows this value: without rules it removes the rest of this function.
    if rules!(count) == 0 {
        return false;
    }
    let comm = if rules!(comm) != 0 {
        // No pattern matches an unknown comm.
        early::kept(task).comm
    } else {
        [0; 2]
    };
    let uid: u32 = task.cred().load(field!(cred_uid));
    let filename = bprm.filename();
    let first = first_rule(filename, comm[0], comm[1], u64::from(uid), u64::from(LANE));
    if first < u64::from(rules!(first_exclude)) || first >= MAX_RULES as u64 {
        return false;
    }
    let Some(counts) = SUPPRESSED.get_ptr_mut(LANE) else {
        return false;
    };
    // SAFETY: a pointer to the live map value of this CPU and lane, which no other program writes
    // meanwhile. The mask keeps the index within it.
    unsafe {
        let count = &mut (*counts)[opaque(first) as usize & (MAX_RULES - 1)];
        count.count += 1;
        count.last = bpf_ktime_get_boot_ns();
    }
    true
}

/// Number of the first rule that matches; [`NO_RULE`] if none does. `filename` is the address of
/// the kernel's own copy; `comm_head` and `comm_tail` are the halves of the comm.
///
/// The kernel verifies this as a separate function: its look-ups would multiply its caller's
/// states.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn first_rule(
    filename: u64,
    comm_head: u64,
    comm_tail: u64,
    uid: u64,
    lane: u64,
) -> u64 {
    let mut first = rules!(everything);
    if rules!(uid) != 0 {
        let uid = uid as u32;
        // SAFETY: user space adds the entries before the program is attached, and never changes
        // them.
        if let Some(matched) = unsafe { UID_RULES.get(uid) } {
            first = first.min(matched.first);
        }
    }
    if rules!(comm) != 0 {
        first = first.min(by_comm([comm_head, comm_tail]));
    }
    if rules!(filename) == 0 && rules!(suffix) == 0 {
        return u64::from(first);
    }
    let Some(keys) = FILENAME_KEY.get_ptr_mut(lane as u32) else {
        return u64::from(first);
    };
    // SAFETY: a pointer to the live map value of this CPU and lane; no other program uses it
    // meanwhile.
    let keys = unsafe { &mut *keys };
    // SAFETY: reads at most FILENAME_WINDOW bytes, for which there is room; a fault gives an error.
    let size = unsafe {
        bpf_probe_read_kernel_str(
            (&raw mut keys.whole.data).cast(),
            FILENAME_WINDOW as u32,
            filename as *const _,
        )
    };
    if size < 1 {
        return u64::from(first);
    }
    if rules!(suffix) != 0 {
        first = first.min(by_suffix(filename, size as u64, keys));
    }
    // This is last because it ends in a loop: the verifier follows the code after a loop again from
    // each iteration.
    if rules!(filename) != 0 {
        first = first.min(by_filename(size as u64, keys));
    }
    u64::from(first)
}

/// The first rule on suffixes that matches the filename at this address. `size` is the length of
/// the filename with its NUL.
///
/// If a filename fills the window, its end is unknown, so no suffix matches.
#[inline(always)]
fn by_suffix(filename: u64, size: u64, keys: &mut FilenameKeys) -> u32 {
    const WORDS: usize = SUFFIX_WINDOW / 8;
    if size >= FILENAME_WINDOW as u64 {
        return NO_RULE;
    }
    let length = size - 1;
    let taken = opaque(length).min(SUFFIX_WINDOW as u64);
    let before = opaque(SUFFIX_WINDOW as u64 - taken).min(SUFFIX_WINDOW as u64);
    for word in &mut keys.end {
        // SAFETY: a word of this value. Volatile, or the compiler would call a function.
        unsafe { core::ptr::write_volatile(word, 0) };
    }
    // SAFETY: reads at most SUFFIX_WINDOW bytes, up to the end of the field; a fault gives an
    // error.
    let read = unsafe {
        bpf_probe_read_kernel(
            (&raw mut keys.end).cast::<u8>().add(before as usize).cast(),
            taken as u32,
            filename.wrapping_add(length - taken) as *const _,
        )
    };
    if read < 0 {
        return NO_RULE;
    }
    keys.backwards.prefix_len = 8 * SUFFIX_WINDOW as u32;
    let backwards = (&raw mut keys.backwards.data).cast::<[u32; 2]>();
    for index in 0..WORDS {
        let word = keys.end[WORDS - 1 - index].swap_bytes();
        // Halves, because the type of the key promises no alignment to eight bytes.
        let halves = [word as u32, (word >> 32) as u32];
        // SAFETY: two of the data's words.
        unsafe { backwards.add(index).write_volatile(halves) };
    }
    SUFFIX_RULES
        .get(&keys.backwards)
        .map_or(NO_RULE, |matched| matched.first)
}

/// The first rule on comms that matches. Patterns end at the NUL or before it, so the bytes that
/// 5.10 leaves after the NUL do not matter.
#[inline(always)]
fn by_comm(comm: [u64; 2]) -> u32 {
    /// A key with an aligned comm, as the verifier requires for values on the stack.
    #[repr(C)]
    struct Aligned {
        zero: u32,
        prefix_len: u32,
        comm: [u64; 2],
    }
    let aligned = Aligned {
        zero: 0,
        prefix_len: 8 * COMM_LEN as u32,
        comm,
    };
    // SAFETY: the last two fields have the layout of a key, which has no alignment.
    let key = unsafe { &*(&raw const aligned.prefix_len).cast::<Key<[u8; COMM_LEN]>>() };
    COMM_RULES.get(key).map_or(NO_RULE, |matched| matched.first)
}

/// The first rule on filenames that matches. `size` is the length of the filename with its NUL.
///
/// A prefix is meant for files below a directory. A path with `/..` in it may lead out of that
/// directory, and so may a path that is longer than the window. A prefix of `--exclude` does not
/// match such paths; a prefix of `--include` does.
#[inline(always)]
fn by_filename(size: u64, keys: &mut FilenameKeys) -> u32 {
    keys.whole.prefix_len = 8 * FILENAME_WINDOW as u32;
    let Some(matched) = FILENAME_RULES.get(&keys.whole) else {
        return NO_RULE;
    };
    let first = matched.first;
    if matched.prefix != 0
        && first >= rules!(first_exclude)
        && (size >= FILENAME_WINDOW as u64 || leads_up(&keys.whole.data))
    {
        return NO_RULE;
    }
    first
}

/// Whether `filename` has a `/..` before its NUL.
#[inline(always)]
fn leads_up(filename: &[u8; FILENAME_WINDOW]) -> bool {
    const UP: u32 = u32::from_be_bytes(*b"\0/..");
    let mut last_three = 0;
    for byte in filename {
        if *byte == 0 {
            break;
        }
        last_three = (last_three << 8 | u32::from(*byte)) & 0xff_ffff;
        if last_three == UP {
            return true;
        }
    }
    false
}
