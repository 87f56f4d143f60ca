//! Tools of the tests besides a pod: programs to execute, the kernel's version, and reporting that
//! a test cannot run here.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::LazyLock,
};

use exectrail_preflight::KernelVersion;

/// Whether tests on the kernel can run here; reports the reason if not.
pub(crate) fn can_trace(test: &str) -> bool {
    let reason = if !rustix::process::geteuid().is_root() {
        "not root"
    } else if !Path::new("/sys/kernel/btf/vmlinux").exists() {
        "the kernel has no BTF"
    } else {
        return true;
    };
    skip(test, reason);
    false
}

/// Version of the running kernel.
pub(crate) fn kernel_version() -> KernelVersion {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    KernelVersion::parse(release.trim()).unwrap()
}

/// The CPUs that this process can use, in ascending order.
pub(crate) fn usable_cpus() -> Vec<u32> {
    let cpus = exectrail_testbed::process::usable_cpus().unwrap();
    cpus.into_iter().map(|cpu| cpu as u32).collect()
}

/// Reports that a test cannot run here. If every test must run, that is a failure.
pub(crate) fn skip(test: &str, reason: &str) {
    exectrail_testbed::skip::skip(test, reason).unwrap();
}

/// Reports that this kernel has nothing to test, which counts as passed.
pub(crate) fn not_here(test: &str, reason: &str) {
    println!("nothing to test in {test}: {reason}");
}

/// Returns from the test if it cannot run.
macro_rules! needs_kernel {
    () => {
        if !$crate::tools::can_trace(concat!(module_path!(), ":", line!())) {
            return;
        }
    };
}
pub(crate) use needs_kernel;

/// The binary under test.
pub(crate) const EXECTRAIL: &str = env!("CARGO_BIN_EXE_exectrail");

/// Path of a file that a test makes.
pub(crate) fn scratch(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

/// Compiles a C source beside this file.
fn compile(name: &str) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/as_root")
        .join(name)
        .with_extension("c");
    let program = scratch(name);
    exectrail_testbed::compiler::compile(&source, &program).unwrap();
    program
}

/// `tool.c`, compiled.
pub(crate) static TOOL: LazyLock<PathBuf> = LazyLock::new(|| compile("tool"));

/// `noop.c`, compiled.
pub(crate) static NOOP: LazyLock<PathBuf> = LazyLock::new(|| compile("noop"));

/// `slow_exit.c`, compiled.
pub(crate) static SLOW_EXIT: LazyLock<PathBuf> = LazyLock::new(|| compile("slow_exit"));

/// `namespaces.c`, compiled.
pub(crate) static NAMESPACES: LazyLock<PathBuf> = LazyLock::new(|| compile("namespaces"));

/// `stack_writer.c`, compiled.
pub(crate) static STACK_WRITER: LazyLock<PathBuf> = LazyLock::new(|| compile("stack_writer"));

/// `confined.c`, compiled.
pub(crate) static CONFINED: LazyLock<PathBuf> = LazyLock::new(|| compile("confined"));

/// `threads.c`, compiled.
pub(crate) static THREADS: LazyLock<PathBuf> = LazyLock::new(|| compile("threads"));

/// `ways.c`, compiled.
pub(crate) static WAYS: LazyLock<PathBuf> = LazyLock::new(|| compile("ways"));

/// The input of `tool replay` for these argvs.
pub(crate) fn replay_input(argvs: &[Vec<Vec<u8>>]) -> Vec<u8> {
    let mut input = Vec::new();
    for argv in argvs {
        input.extend((argv.len() as u32).to_ne_bytes());
        for argument in argv {
            input.extend((argument.len() as u32).to_ne_bytes());
            input.extend(argument);
        }
    }
    input
}
