//! Describes the machine that the measurements are made on.

use std::fs;

use serde::Serialize;

/// The machine that the measurements are made on.
#[derive(Serialize)]
pub(crate) struct Machine {
    pub(crate) kernel: String,
    pub(crate) processor: String,
    pub(crate) cpus: usize,
    pub(crate) virtual_machine: bool,
    /// Load average over one minute at the start of the measurements. A build that has just ended
    /// still raises it.
    pub(crate) load: String,
    pub(crate) at: String,
}

impl Machine {
    pub(crate) fn describe() -> Self {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        let info = read("/proc/cpuinfo");
        let field = |name: &str| {
            info.lines()
                .find_map(|line| line.strip_prefix(name)?.split_once(": "))
                .map(|(_, value)| value.to_owned())
                .unwrap_or_default()
        };
        let uname = rustix::system::uname();
        Self {
            kernel: format!(
                "{} {}",
                uname.sysname().to_string_lossy(),
                uname
                    .release()
                    .to_string_lossy()
                    .split('-')
                    .next()
                    .unwrap_or_default()
            ),
            // On arm64, /proc/cpuinfo has neither `model name` nor `flags`, so a virtual machine is
            // not recognized.
            processor: Some(field("model name"))
                .filter(|name| !name.is_empty())
                .unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
            cpus: std::thread::available_parallelism().map_or(0, usize::from),
            virtual_machine: field("flags").contains(" hypervisor"),
            load: read("/proc/loadavg")
                .split(' ')
                .next()
                .unwrap_or_default()
                .to_owned(),
            at: jiff::Timestamp::now()
                .strftime("%Y-%m-%d %H:%M UTC")
                .to_string(),
        }
    }
}

impl std::fmt::Display for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            kernel,
            processor,
            cpus,
            virtual_machine,
            load,
            at,
        } = self;
        let kind = if *virtual_machine {
            "virtual machine"
        } else {
            "machine"
        };
        write!(
            f,
            "{kind}, {cpus} CPUs ({processor}), {kernel}, load {load} at the start, {at}"
        )
    }
}
