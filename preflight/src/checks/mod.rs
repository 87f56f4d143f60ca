//! The checks, one per file, and the code that several of them share.

mod bpf;
mod btf;
mod capabilities;
mod cgroup_id;
mod denial;
mod init_address;
mod kernel;
mod lockdown;
mod memory;
mod node;
mod platform;
mod scope;
mod security_label;
mod user_namespace;

use node::{Node, Release};

use crate::attach_points::AttachPoint;
use crate::options::Options;
use crate::report::{Kernel, Report};
use crate::{field_report, files};

/// Makes all checks. This function returns a report for any content of the files below
/// `options.roots`.
///
/// On a live system it makes a few small BPF maps and loads a few small programs. It attaches no
/// program, and closes all maps and programs again. Before Linux 5.11 it first raises
/// RLIMIT_MEMLOCK if it may, as exectrail does: with a low limit the kernel can refuse any map.
pub fn run(options: &Options) -> Report {
    let live = options.roots.are_live();
    let release = Release::read(&options.roots, live);
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
    let lockdown = lockdown::check(&node, read_kernel);
    let (scope, namespaces) = scope::check(&node);
    let scope = cgroup_id::noted(&node, resolved.as_ref(), scope);
    let fields = resolved.as_ref().map(field_report::all).unwrap_or_default();

    let kernel = resolved
        .filter(|r| r.missing.is_empty())
        .zip(node.version());
    let kernel = kernel.map(|(resolved, release)| Kernel {
        offsets: resolved.offsets,
        controllers: resolved.controllers,
        attach_points: resolved.attach_points,
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
