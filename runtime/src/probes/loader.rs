//! A loader of aya's that does not read the kernel's types.

use aya::EbpfLoader;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The loader.
///
/// `EbpfLoader::new` (aya 0.14) reads and parses all of the kernel's BTF, for relocations that the
/// probes do not have. That took half of the start and 18 MiB, and it has no parameter against it;
/// but it does without where it cannot open the file. So for that instant this process can open
/// none. The start is one thing after another: nobody else wants to.
pub(super) fn without_kernel_types<'a>() -> EbpfLoader<'a> {
    let limit = getrlimit(Resource::Nofile);
    let none = Rlimit {
        current: Some(0),
        ..limit
    };
    // Where it fails, the loader only takes longer.
    let _ = setrlimit(Resource::Nofile, none);
    let loader = EbpfLoader::new();
    let _ = setrlimit(Resource::Nofile, limit);
    loader
}
