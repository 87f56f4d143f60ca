//! A writer of BTF, and the BTF of a small kernel.

use exectrail_preflight::btf::{MAGIC, kind};

/// Writes BTF, type by type. Ids begin with 1.
#[derive(Clone, Default)]
pub(crate) struct Writer {
    types: Vec<u8>,
    strings: Vec<u8>,
    layout: Vec<u8>,
    last: u32,
}

/// A member: name, type, offset in bits.
pub(crate) type Member<'a> = (&'a str, u32, u32);

impl Writer {
    pub(crate) fn new() -> Self {
        Self {
            strings: vec![0],
            ..Self::default()
        }
    }

    fn string(&mut self, text: &str) -> u32 {
        if text.is_empty() {
            return 0;
        }
        let at = self.strings.len() as u32;
        self.strings.extend(text.bytes().chain([0]));
        at
    }

    pub(crate) fn raw(&mut self, words: &[u32]) -> u32 {
        self.types
            .extend(words.iter().flat_map(|word| word.to_ne_bytes()));
        self.last += 1;
        self.last
    }

    pub(crate) fn plain(&mut self, kind: u8, name: &str, size_or_type: u32) -> u32 {
        let name = self.string(name);
        self.raw(&[name, u32::from(kind) << 24, size_or_type])
    }

    pub(crate) fn int(&mut self, name: &str, size: u32) -> u32 {
        let name = self.string(name);
        self.raw(&[name, u32::from(kind::INT) << 24, size, size * 8])
    }

    pub(crate) fn pointer(&mut self) -> u32 {
        self.plain(kind::PTR, "", 0)
    }

    pub(crate) fn array(&mut self, element: u32, len: u32) -> u32 {
        self.raw(&[0, u32::from(kind::ARRAY) << 24, 0, element, 1, len])
    }

    pub(crate) fn strukt(&mut self, name: &str, size: u32, members: &[Member<'_>]) -> u32 {
        self.composite(kind::STRUCT, name, size, members, false)
    }

    pub(crate) fn union(&mut self, name: &str, size: u32, members: &[Member<'_>]) -> u32 {
        self.composite(kind::UNION, name, size, members, false)
    }

    pub(crate) fn composite(
        &mut self,
        kind: u8,
        name: &str,
        size: u32,
        members: &[Member<'_>],
        kind_flag: bool,
    ) -> u32 {
        let name = self.string(name);
        let info = u32::from(kind_flag) << 31 | u32::from(kind) << 24 | members.len() as u32;
        let mut words = vec![name, info, size];
        for (member, type_id, offset) in members {
            words.extend([self.string(member), *type_id, *offset]);
        }
        self.raw(&words)
    }

    /// Sets the sizes of a kind in the layout section.
    pub(crate) fn layout(&mut self, kind: u8, info_size: u8, element_size: u8) {
        let end = 4 * (usize::from(kind) + 1);
        self.layout.resize(self.layout.len().max(end), 0);
        self.layout[end - 4..end].copy_from_slice(&[info_size, element_size, 0, 0]);
    }

    pub(crate) fn finish(&self) -> Vec<u8> {
        let header_len: u32 = if self.layout.is_empty() { 24 } else { 32 };
        let (types, strings) = (self.types.len() as u32, self.strings.len() as u32);
        let mut out = Vec::new();
        out.extend(MAGIC.to_ne_bytes());
        out.extend([1, 0]);
        for word in [header_len, 0, types, types, strings] {
            out.extend(word.to_ne_bytes());
        }
        if header_len == 32 {
            out.extend((types + strings).to_ne_bytes());
            out.extend((self.layout.len() as u32).to_ne_bytes());
        }
        out.extend(self.types.iter().chain(&self.strings).chain(&self.layout));
        out
    }
}

/// The properties of the kernel whose BTF is written.
#[derive(Clone, Copy)]
pub(crate) struct KernelTypes {
    /// Name of the member that is called `start_boottime` from Linux 5.5 on.
    pub(crate) start_boottime: &'static str,
    /// The kernel's tracepoints.
    pub(crate) tracepoints: &'static [&'static str],
}

impl Default for KernelTypes {
    fn default() -> Self {
        Self {
            start_boottime: "start_boottime",
            tracepoints: &["sched_process_exec", "sched_process_exit", "task_rename"],
        }
    }
}

/// The types that the probes require, nested as in a kernel. There are anonymous structs and
/// unions, a randomized part of `task_struct`, typedefs and qualifiers, and a second struct with
/// the name of another. The optional fields are absent.
pub(crate) fn kernel_btf(kernel: KernelTypes) -> Vec<u8> {
    let mut w = Writer::new();
    let int = w.int("int", 4);
    let long = w.int("unsigned long", 8);
    let byte = w.int("char", 1);
    let ptr = w.pointer();
    let pid_t = w.plain(kind::TYPEDEF, "pid_t", int);
    let u64_t = w.plain(kind::TYPEDEF, "u64", long);
    let comm = w.array(byte, 16);
    let atomic = w.strukt("", 4, &[("counter", int, 0)]);
    let atomic_t = w.plain(kind::TYPEDEF, "atomic_t", atomic);
    let kuid = w.strukt("", 4, &[("val", int, 0)]);
    let kuid_t = w.plain(kind::TYPEDEF, "kuid_t", kuid);
    let const_ptr = w.plain(kind::CONST, "", ptr);

    let randomized = w.strukt(
        "",
        160,
        &[
            ("mm", ptr, 0),
            ("tgid", pid_t, 64),
            ("exit_code", int, 96),
            ("pid", pid_t, 704),
            ("self_exec_id", u64_t, 768),
            ("atomic_flags", long, 832),
            ("real_parent", ptr, 128),
            ("group_leader", ptr, 192),
            ("thread_pid", ptr, 256),
            (kernel.start_boottime, u64_t, 320),
            ("cred", const_ptr, 384),
            ("comm", comm, 448),
            ("nsproxy", ptr, 576),
            ("signal", ptr, 640),
        ],
    );
    w.strukt(
        "task_struct",
        176,
        &[("__state", int, 0), ("", randomized, 128)],
    );
    w.strukt(
        "signal_struct",
        48,
        &[
            ("live", atomic_t, 32),
            ("flags", int, 64),
            ("pids", int, 128),
        ],
    );
    w.strukt(
        "nsproxy",
        56,
        &[
            ("mnt_ns", ptr, 192),
            ("pid_ns_for_children", ptr, 256),
            ("net_ns", ptr, 320),
        ],
    );
    let ns_common = w.strukt("ns_common", 24, &[("stashed", ptr, 0), ("inum", int, 128)]);
    let upid = w.strukt("upid", 16, &[("nr", int, 0), ("ns", ptr, 64)]);
    let upids = w.array(upid, 0);
    w.strukt(
        "pid",
        112,
        &[
            ("count", int, 0),
            ("level", int, 32),
            ("numbers", upids, 768),
        ],
    );
    // Some drivers have a struct of this name, too. It lacks the member that the probes need.
    w.strukt("net", 8, &[("device", ptr, 0)]);
    w.strukt("net", 4096, &[("passive", int, 0), ("ns", ns_common, 1024)]);
    w.strukt(
        "pid_namespace",
        136,
        &[
            ("child_reaper", ptr, 256),
            ("level", int, 384),
            ("parent", ptr, 448),
            ("ns", ns_common, 832),
            ("pid_allocated", int, 160),
        ],
    );
    w.strukt("mnt_namespace", 160, &[("ns", ns_common, 0)]);
    let mm = w.strukt(
        "",
        1000,
        &[
            ("arg_start", long, 2240),
            ("arg_end", long, 2304),
            ("env_end", long, 2432),
            ("stack_vm", long, 2496),
        ],
    );
    w.strukt(
        "mm_struct",
        1064,
        &[("", mm, 512), ("cpu_bitmap", long, 8000)],
    );
    w.strukt(
        "linux_binprm",
        360,
        &[
            ("argc", int, 512),
            ("filename", const_ptr, 576),
            ("interp", const_ptr, 640),
            ("exec", long, 768),
        ],
    );
    w.strukt(
        "cred",
        176,
        &[
            ("uid", kuid_t, 64),
            ("gid", kuid_t, 96),
            ("euid", kuid_t, 192),
            ("egid", kuid_t, 224),
            ("user_ns", ptr, 1088),
        ],
    );
    let extent = w.strukt(
        "uid_gid_extent",
        12,
        &[
            ("first", int, 0),
            ("lower_first", int, 32),
            ("count", int, 64),
        ],
    );
    let extents = w.array(extent, 5);
    let forward = w.strukt("", 16, &[("forward", ptr, 0), ("reverse", ptr, 64)]);
    // Linux 6.12 moved `nr_extents` into the union; here it is outside, as before.
    let choice = w.union("", 64, &[("extent", extents, 0), ("", forward, 0)]);
    let map = w.strukt(
        "uid_gid_map",
        72,
        &[("nr_extents", int, 0), ("", choice, 64)],
    );
    w.strukt(
        "user_namespace",
        600,
        &[("uid_map", map, 0), ("gid_map", map, 576)],
    );
    for tracepoint in kernel.tracepoints {
        w.plain(kind::TYPEDEF, &format!("btf_trace_{tracepoint}"), ptr);
    }
    w.finish()
}
