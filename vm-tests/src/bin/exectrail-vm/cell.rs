//! One machine to run: a kernel, a scenario and a variant.

use std::{fmt, time::Duration};

use exectrail_vm_tests::{Scenario, Variant};

use crate::{disk, kernel_files::Kernel, kernel_series::MachineKind};

/// One machine to run.
#[derive(Clone)]
pub(crate) struct Cell {
    pub(crate) kernel: Kernel,
    pub(crate) scenario: Scenario,
    pub(crate) variant: Variant,
}

impl Cell {
    /// Makes the disks, which take long to make and are kept.
    pub(crate) fn prepare(&self) -> anyhow::Result<()> {
        if self.scenario.is_on_a_node() {
            disk::disks(&self.kernel)?;
        }
        Ok(())
    }

    /// Rank of the machine in the order of starts. The machine that takes longest starts first, so
    /// that at the end no machine runs alone for long.
    pub(crate) fn order(&self) -> u8 {
        match (self.kernel.series.machine, self.scenario) {
            (MachineKind::Arm64, _) => 0,
            (_, Scenario::Pods | Scenario::Docker | Scenario::Containerd) => 1,
            (_, Scenario::Envbox) => 2,
            (_, Scenario::Plain) => 3,
            (_, Scenario::Brief) => 4,
            (_, Scenario::Integrity) => 5,
            _ => 6,
        }
    }

    /// How long the machine may report nothing. The time is doubled on a node, where a single test
    /// runs whole pods, and for another architecture, whose processors are always emulated.
    pub(crate) fn silence(&self, usual: Duration) -> Duration {
        if self.scenario.is_on_a_node() || self.kernel.series.machine == MachineKind::Arm64 {
            usual * 2
        } else {
            usual
        }
    }
}

/// `7 plain`, `7 brief, one-cpu`
impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kernel.series.name, self.scenario)?;
        match self.variant {
            Variant::Usual => Ok(()),
            variant => write!(f, ", {variant}"),
        }
    }
}
