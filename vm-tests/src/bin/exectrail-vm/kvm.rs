//! Chooses KVM if a machine boots with it, else emulation.

use std::{collections::BTreeMap, fs::OpenOptions, time::Duration};

use anyhow::Result;
use exectrail_vm_tests::{Plan, Scenario, Variant};

use crate::{
    accelerator::{Accelerator, Emulation},
    initramfs::Programs,
    kernel_files::Kernel,
    qemu::{self, Ending},
};

/// Maximum time without a message if KVM works.
const KVM_BOOTS_IN: Duration = Duration::from_secs(15);

const SLOW: &str = "QEMU emulates the processors, which takes about ten times as long";

/// Chooses KVM if it works. If it does not, chooses emulation and prints the reason. `kernel` is a
/// PC's kernel that will be booted; without such a kernel, KVM is not tried.
pub(crate) fn choose(kernel: Option<&Kernel>, programs: &Programs) -> Result<Accelerator> {
    let emulation = Emulation::of_installed();
    let kvm = match kernel {
        Some(kernel) => works(kernel, programs, emulation)?,
        None => false,
    };
    Ok(Accelerator { kvm, emulation })
}

fn works(kernel: &Kernel, programs: &Programs, emulation: Emulation) -> Result<bool> {
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
