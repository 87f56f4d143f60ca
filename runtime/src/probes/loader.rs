//! Makes aya's loader without reading the kernel's types.

use aya::EbpfLoader;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The loader.
///
/// `EbpfLoader::new` (aya 0.14) reads and parses all of the kernel's BTF, for relocations that the
/// probes do not have. This parsing takes half of the start and 18 MiB, and no parameter turns it
/// off. aya continues if it cannot open the BTF file. So this function sets the limit of open files
/// to 0 while aya makes the loader. The start is sequential: no other thread opens a file
/// meanwhile.
pub(super) fn without_kernel_types<'a>() -> EbpfLoader<'a> {
    let limit = getrlimit(Resource::Nofile);
    let none = Rlimit {
        current: Some(0),
        ..limit
    };
    // If the limit is not set, the loader only takes longer.
    let _ = setrlimit(Resource::Nofile, none);
    let loader = EbpfLoader::new();
    let _ = setrlimit(Resource::Nofile, limit);
    loader
}
