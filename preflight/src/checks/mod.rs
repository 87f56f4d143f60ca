//! The checks, one per file.

mod bpf;
mod btf;
mod capabilities;
mod cgroup_id;
mod denial;
mod init_address;
mod kernel;
mod lockdown;
mod memory;
mod platform;
mod scope;
mod security_label;
mod user_namespace;

use std::io;
use std::path::PathBuf;

use rustix::io::Errno;

use crate::attach_points::AttachPoint;
use crate::files::{self, ReadError};
use crate::report::{Kernel, Report};
use crate::{KernelVersion, Options, fields};

/// Input of several checks.
struct Node<'a> {
    options: &'a Options,
    /// Whether the checks may query the running kernel, or only read files.
    live: bool,
    /// `<proc>/self/status`
    status: Result<String, ReadError>,
    /// `<proc>/sys/kernel/osrelease`, or the result of uname(2).
    release: kernel::Release,
    /// The platform that exectrail runs on.
    platform: platform::Found,
}

impl Node<'_> {
    fn proc(&self, path: &str) -> PathBuf {
        self.options.roots.proc.join(path)
    }

    fn sys(&self, path: &str) -> PathBuf {
        self.options.roots.sys.join(path)
    }

    fn version(&self) -> Option<KernelVersion> {
        self.release.version()
    }

    /// Whether BPF memory counts against RLIMIT_MEMLOCK. False for an unknown version, which the
    /// kernel check reports.
    fn needs_memlock(&self) -> bool {
        self.version()
            .is_some_and(|version| version < KernelVersion::WITHOUT_MEMLOCK)
    }

    fn status_field(&self, name: &str) -> Option<&str> {
        files::status_field(self.status.as_deref().ok()?, name)
    }

    /// A field of `<proc>/self/status`, or why it is missing, as evidence.
    fn status_evidence(&self, name: &str) -> String {
        match &self.status {
            Ok(status) => match files::status_field(status, name) {
                Some(value) => value.split_whitespace().collect::<Vec<_>>().join(" "),
                None => "no such line in the file".to_owned(),
            },
            Err(error) => error.to_string(),
        }
    }
}

fn is(error: &io::Error, errno: Errno) -> bool {
    error.raw_os_error() == Some(errno.raw_os_error())
}

pub(crate) fn all(options: &Options) -> Report {
    let live = options.roots.are_live();
    let release = kernel::Release::read(&options.roots, live);
    let node = Node {
        options,
        live,
        status: files::read_text(&options.roots.proc.join("self/status")),
        platform: platform::Found::read(&options.roots, release.text()),
        release,
    };

    let (btf, resolved) = btf::check(&node);
    let capabilities = capabilities::check(&node);
    let user_namespace = user_namespace::check(&node);
    let tracepoint = resolved.as_ref().and_then(|r| {
        r.attach_points
            .id(AttachPoint::Tracepoint("sched_process_exec"))
    });
    let (bpf, read_kernel) = bpf::check(&node, tracepoint, &capabilities, &user_namespace);
    let (lockdown, read_kernel) = lockdown::check(&node, read_kernel);
    let (scope, namespaces) = scope::check(&node);
    let scope = cgroup_id::noted(&node, resolved.as_ref(), scope);
    let fields = resolved.as_ref().map(fields::all).unwrap_or_default();

    let kernel = resolved
        .filter(|r| r.missing.is_empty())
        .zip(node.version());
    let kernel = kernel.map(|(resolved, release)| Kernel {
        offsets: resolved.offsets,
        controllers: resolved.controllers,
        attach_points: resolved.attach_points,
        read_kernel,
        needs_memlock: node.needs_memlock(),
        release,
    });
    let judge = |check| node.platform.judge(check);
    let checks = vec![
        node.platform.check(),
        judge(kernel::check(&node)),
        judge(btf),
        judge(user_namespace),
        judge(capabilities),
        judge(lockdown),
        bpf,
        scope,
        memory::check(&node),
        init_address::check(options.init_address),
    ];
    Report {
        checks,
        kernel,
        scope: namespaces,
        fields,
    }
}
