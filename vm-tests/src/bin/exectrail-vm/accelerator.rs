//! How a guest's instructions are executed: by the processor (KVM), or by QEMU's emulation.

use std::process::Command;

use exectrail_vm_tests::Variant;

use crate::kernel_series;

/// The QEMU of a PC.
pub(crate) const PC_EMULATOR: &str = "qemu-system-x86_64";

/// How QEMU runs a machine's processors.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Accelerator {
    /// Whether KVM executes the machines that are PCs.
    pub(crate) kvm: bool,
    /// How QEMU executes the machines that KVM does not.
    pub(crate) emulation: Emulation,
}

/// How QEMU emulates a machine's processors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Emulation {
    /// In parallel, one thread per processor.
    Parallel,
    /// In turn, one thread for all processors.
    InTurn,
}

/// The first QEMU version that is known to emulate processors in parallel without executing
/// replaced instructions.
///
/// In 7.2 one thread may translate an instruction while another replaces it, and keep the old
/// translation. Kernels replace their own instructions (static keys; `text_poke_bp`,
/// arch/x86/kernel/alternative.c), on x86 with a temporary breakpoint. If `kernel.sched_schedstats`
/// is switched on and off on two busy processors, 6.12 panics at that breakpoint within a second,
/// and 5.10 and 6.1 hang. With processors emulated in turn, or in parallel by 10.0, 6.12 survives
/// 3,000 switches.
const PARALLEL_SINCE: u32 = 10;

impl Accelerator {
    /// QEMU's arguments for this accelerator.
    pub(crate) fn arguments(
        self,
        machine: kernel_series::MachineKind,
        variant: Variant,
    ) -> [&'static str; 6] {
        // Of the features of "max" on ARM, pointer authentication alone takes most of the time;
        // `pauth-impdef` selects a faster algorithm.
        let (board, emulated) = match machine {
            kernel_series::MachineKind::Arm64 => ("virt", "max,pauth-impdef=on"),
            // `MANY_CPUS` in qemu.rs gives the reason.
            _ if variant == Variant::ManyCpus => ("q35", "max,-hypervisor"),
            kernel_series::MachineKind::Pc | kernel_series::MachineKind::Process => ("q35", "max"),
        };
        let (accelerator, processor) = match self.emulation {
            _ if self.kvm && machine == kernel_series::MachineKind::Pc => ("kvm", "host"),
            Emulation::Parallel => ("tcg,thread=multi", emulated),
            Emulation::InTurn => ("tcg,thread=single", emulated),
        };
        ["-M", board, "-accel", accelerator, "-cpu", processor]
    }
}

impl Emulation {
    /// What the installed QEMU supports. If no QEMU is installed, the start of a machine reports
    /// this.
    pub(crate) fn of_installed() -> Self {
        let output = Command::new(PC_EMULATOR).arg("--version").output();
        let said = output.map(|output| output.stdout).unwrap_or_default();
        let said = String::from_utf8_lossy(&said);
        if major_version(&said).is_some_and(|major| major >= PARALLEL_SINCE) {
            return Self::Parallel;
        }
        if let Some(version) = said.lines().next() {
            eprintln!(
                "{version}: emulated processors take turns, because before QEMU {PARALLEL_SINCE}.0 \
                 a processor may execute an instruction that another has replaced"
            );
        }
        Self::InTurn
    }
}

/// The major version in QEMU's output: 7 in "QEMU emulator version 7.2.22 (Debian …)".
fn major_version(said: &str) -> Option<u32> {
    let (_, version) = said.split_once(" version ")?;
    version.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::major_version;

    #[test]
    fn the_major_version_of_qemu_is_found() {
        let said = "QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18+b3)\nCopyright";
        assert_eq!(major_version(said), Some(7));
        assert_eq!(major_version("QEMU emulator version 10.0.13\n"), Some(10));
        assert_eq!(major_version(""), None);
    }
}
