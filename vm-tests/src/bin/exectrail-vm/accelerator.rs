//! What executes a guest's instructions: the processor, or QEMU in its place.

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
    /// Whether this machine's processor executes what is for it.
    kvm: bool,
    /// How QEMU executes all else.
    emulation: Emulation,
}

/// How QEMU emulates a machine's processors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Emulation {
    /// At once, a thread for each.
    Parallel,
    /// In turn, one thread for all.
    InTurn,
}

/// The first QEMU that is known to emulate processors at once and yet never execute what is no
/// longer there.
///
/// In 7.2 one may translate an instruction while another replaces it, and keep what it has. Kernels
/// replace their own (static keys; `text_poke_bp`, arch/x86/kernel/alternative.c), on x86 with a
/// breakpoint for a moment. With `kernel.sched_schedstats` switched to and fro on two busy
/// processors, 6.12 panics at that breakpoint within a second, 5.10 and 6.1 hang; emulated in turn,
/// or by 10.0 at once, 6.12 goes through 3,000 switches.
const PARALLEL_SINCE: u32 = 10;

/// How long a sign of life may take where KVM works.
const KVM_BOOTS_IN: Duration = Duration::from_secs(15);

const SLOW: &str = "QEMU emulates the processors, which takes about ten times as long";

impl Accelerator {
    /// KVM where it works, emulation else; says which and why. `kernel` is one for this processor,
    /// if any is to be booted.
    pub(crate) fn choose(kernel: Option<&Kernel>, programs: &Programs) -> Result<Self> {
        let emulation = Emulation::of_installed();
        let kvm = match kernel {
            Some(kernel) => kvm_works(kernel, programs, emulation)?,
            None => false,
        };
        Ok(Self { kvm, emulation })
    }

    /// QEMU's arguments for it.
    pub(crate) fn arguments(self, machine: series::Machine, variant: Variant) -> [&'static str; 6] {
        // Of what "max" has on ARM, pointer authentication alone costs most of the time.
        let (board, emulated) = match machine {
            series::Machine::Arm64 => ("virt", "max,pauth-impdef=on"),
            // See `MANY_CPUS` in qemu.rs.
            _ if variant == Variant::ManyCpus => ("q35", "max,-hypervisor"),
            series::Machine::Pc | series::Machine::Process => ("q35", "max"),
        };
        let (accelerator, processor) = match self.emulation {
            _ if self.kvm && machine == series::Machine::Pc => ("kvm", "host"),
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
    /// As the installed QEMU can. Where there is none, starting it tells.
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

/// Of "QEMU emulator version 7.2.22 (Debian …)", the 7.
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
