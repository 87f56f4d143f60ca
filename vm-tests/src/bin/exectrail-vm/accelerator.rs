//! How a guest's instructions are executed: by the processor (KVM), or by QEMU's emulation.

use std::{collections::BTreeMap, fs::OpenOptions, process::Command, time::Duration};

use anyhow::Result;
use exectrail_vm_tests::{Plan, Scenario, Variant};

use crate::{
    initramfs::Programs,
    kernels::Kernel,
    qemu::{self, Ending},
    series,
};

/// How QEMU runs a machine's processors.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Accelerator {
    /// Whether KVM executes a machine of the host's architecture.
    kvm: bool,
    /// How QEMU executes the other machines.
    emulation: Emulation,
}

/// How QEMU emulates a machine's processors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Emulation {
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

/// Time limit of the first message if KVM works.
const KVM_BOOTS_IN: Duration = Duration::from_secs(15);

const SLOW: &str = "QEMU emulates the processors, which takes about ten times as long";

impl Accelerator {
    /// Chooses KVM if it works, else emulation, and prints the choice and its reason. `kernel` is a
    /// kernel for this processor, if one is to be booted.
    pub(crate) fn choose(kernel: Option<&Kernel>, programs: &Programs) -> Result<Self> {
        let emulation = Emulation::of_installed();
        let kvm = match kernel {
            Some(kernel) => kvm_works(kernel, programs, emulation)?,
            None => false,
        };
        Ok(Self { kvm, emulation })
    }

    /// QEMU's arguments for this accelerator.
    pub(crate) fn arguments(
        self,
        machine: series::MachineKind,
        variant: Variant,
    ) -> [&'static str; 6] {
        // Of the features of "max" on ARM, pointer authentication alone takes most of the time.
        let (board, emulated) = match machine {
            series::MachineKind::Arm64 => ("virt", "max,pauth-impdef=on"),
            // `MANY_CPUS` in qemu.rs gives the reason.
            _ if variant == Variant::ManyCpus => ("q35", "max,-hypervisor"),
            series::MachineKind::Pc | series::MachineKind::Process => ("q35", "max"),
        };
        let (accelerator, processor) = match self.emulation {
            _ if self.kvm && machine == series::MachineKind::Pc => ("kvm", "host"),
            Emulation::Parallel => ("tcg,thread=multi", emulated),
            Emulation::InTurn => ("tcg,thread=single", emulated),
        };
        ["-M", board, "-accel", accelerator, "-cpu", processor]
    }
}

fn kvm_works(kernel: &Kernel, programs: &Programs, emulation: Emulation) -> Result<bool> {
    let kvm = OpenOptions::new().read(true).write(true).open("/dev/kvm");
    if let Err(error) = kvm {
        eprintln!("no KVM here (/dev/kvm: {error}): {SLOW}");
        return Ok(false);
    }
    let plan = Plan {
        scenario: Scenario::Boot,
        variant: Variant::Usual,
        only: None,
        keep: false,
        overdue_after: KVM_BOOTS_IN.as_secs(),
        manifests: BTreeMap::new(),
    };
    let machine = qemu::Machine {
        kernel,
        programs,
        plan: &plan,
        accelerator: Accelerator {
            kvm: true,
            emulation,
        },
        silence: KVM_BOOTS_IN,
    };
    let works = machine.run(|_| ())?.ending == Ending::Done;
    if !works {
        eprintln!("/dev/kvm is there, but no machine boots with it: {SLOW}");
    }
    Ok(works)
}

impl Emulation {
    /// What the installed QEMU supports. If there is none, starting it reports that.
    fn of_installed() -> Self {
        let output = Command::new(qemu::PC_EMULATOR).arg("--version").output();
        let said = output.map(|output| output.stdout).unwrap_or_default();
        let said = String::from_utf8_lossy(&said);
        if major_version(&said).is_some_and(|major| major >= PARALLEL_SINCE) {
            return Self::Parallel;
        }
        if let Some(version) = said.lines().next() {
            eprintln!(
                "{version}: emulated processors take turns, for before {PARALLEL_SINCE}.0 one may execute \
                 what another has replaced"
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
    fn versions() {
        let said = "QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18+b3)\nCopyright";
        assert_eq!(major_version(said), Some(7));
        assert_eq!(major_version("QEMU emulator version 10.0.13\n"), Some(10));
        assert_eq!(major_version(""), None);
    }
}
