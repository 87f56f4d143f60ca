//! Which machines run: which scenario and variant on which kernel.

use exectrail_vm_tests::{Scenario, Variant};

use crate::{
    cell::Cell,
    kernel_files::Kernel,
    kernel_series::{MachineKind, Parts, Series},
};

/// The variants of a full run, each with its scenario and its kernels. A short run has the first
/// kernel of each variant.
const VARIANTS: [(Variant, Scenario, &[&str]); 5] = [
    (Variant::CgroupV1, Scenario::Brief, &["5.10", "6.12"]),
    (Variant::OneCpu, Scenario::Brief, &["5.10", "7"]),
    (Variant::ManyCpus, Scenario::Brief, &["7"]),
    (Variant::NoJit, Scenario::Brief, &["7"]),
    (Variant::Systemd, Scenario::Containerd, &["7", "5.10"]),
];

/// How many machines run if the command line names none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// The machines that each change must pass: every version of the kernel on a PC, every variant,
    /// and the scenarios that differ most.
    Short,
    /// All machines.
    Full,
}

/// The choice on the command line. If it names only kernels, scenarios or variants, the rest is
/// chosen as for a full run. If it names none of them, `extent` decides.
pub(crate) struct Choice {
    /// The extent if nothing is named.
    pub(crate) extent: Extent,
    pub(crate) scenarios: Vec<Scenario>,
    pub(crate) variants: Vec<Variant>,
    /// Whether the command line names kernels.
    pub(crate) names_kernels: bool,
}

impl Choice {
    /// The machines for these kernels, in the order of their start.
    pub(crate) fn cells(&self, kernels: &[Kernel]) -> Vec<Cell> {
        let mut cells = Vec::new();
        for kernel in kernels {
            for scenario in Scenario::ALL {
                for variant in Variant::ALL {
                    if self.has(kernel.series, scenario, variant) {
                        cells.push(Cell {
                            kernel: kernel.clone(),
                            scenario,
                            variant,
                        });
                    }
                }
            }
        }
        cells.sort_by_key(Cell::order);
        cells
    }

    /// Whether the choice has a machine with this kernel.
    pub(crate) fn has_any(&self, series: &Series) -> bool {
        Scenario::ALL.into_iter().any(|scenario| {
            let mut variants = Variant::ALL.into_iter();
            variants.any(|variant| self.has(series, scenario, variant))
        })
    }

    /// Whether the command line names any machines.
    pub(crate) fn names_any(&self) -> bool {
        self.names_kernels || !self.scenarios.is_empty() || !self.variants.is_empty()
    }

    fn has(&self, series: &Series, scenario: Scenario, variant: Variant) -> bool {
        if self.extent == Extent::Short && !self.names_any() {
            return is_in_a_short_run(series, scenario, variant);
        }
        let named = |empty, contains| if empty { None } else { Some(contains) };
        let scenario_named = named(
            self.scenarios.is_empty(),
            self.scenarios.contains(&scenario),
        );
        let variant_named = named(self.variants.is_empty(), self.variants.contains(&variant));
        if scenario_named == Some(false) || variant_named == Some(false) {
            return false;
        }
        // A kernel and a variant that are both named run together, even if a full run does not have
        // this pair. A kernel and a scenario that are both named also run together, in the usual
        // variant.
        let asked_for = self.names_kernels
            && (variant_named == Some(true)
                || (scenario_named == Some(true) && variant == Variant::Usual));
        match asked_for {
            true => is_possible(series, scenario, variant),
            false => is_in_a_full_run(series, scenario, variant),
        }
    }
}

/// Whether the kernel can run this scenario in this variant.
fn is_possible(series: &Series, scenario: Scenario, variant: Variant) -> bool {
    if variant != Variant::Usual && kernels_of(variant, scenario).is_empty() {
        return false;
    }
    match scenario {
        Scenario::Brief => match variant {
            Variant::Usual => series.machine.is_virtual(),
            // The variants are for PCs only.
            _ => series.machine == MachineKind::Pc,
        },
        Scenario::WithoutBtf => is_in_a_full_run(series, scenario, variant),
        _ if series.machine == MachineKind::Pc => series.parts == Parts::WithModules,
        _ => is_in_a_full_run(series, scenario, variant),
    }
}

/// The kernels on which a variant runs a scenario.
fn kernels_of(variant: Variant, scenario: Scenario) -> &'static [&'static str] {
    let found = VARIANTS
        .iter()
        .find(|(known, runs, _)| (*known, *runs) == (variant, scenario));
    found.map_or(&[], |(_, _, names)| names)
}

fn is_in_a_full_run(series: &Series, scenario: Scenario, variant: Variant) -> bool {
    if variant != Variant::Usual {
        return kernels_of(variant, scenario).contains(&series.name);
    }
    if !series.runs_all {
        return scenario == Scenario::Brief;
    }
    match (series.machine, scenario) {
        // `plain` includes the tests of `brief`.
        (_, Scenario::Brief) => false,
        // User-mode Linux is the kernel without BTF.
        (MachineKind::Process, _) => scenario == Scenario::WithoutBtf,
        (_, Scenario::WithoutBtf) => false,
        // arm64 shows that tracing works on another architecture; the rest depends only on the
        // kernel's version.
        (MachineKind::Arm64, _) => scenario == Scenario::Plain,
        // Running pods takes minutes in an emulated machine. The oldest kernel and the newest are
        // enough: the sidecar's privileges and the programs differ between them. These two kernels
        // are also enough for lockdown and refusals.
        (
            _,
            Scenario::Envbox
            | Scenario::Containerd
            | Scenario::Integrity
            | Scenario::Confidentiality
            | Scenario::Refusals,
        ) => !["6.1", "6.12"].contains(&series.name),
        // Clusters use containerd; podman and dockerd are two more runtimes.
        (_, Scenario::Pods | Scenario::Docker) => series.name == "7",
        _ => true,
    }
}

/// The machines that a short run leaves out differ little from those that it has.
fn is_in_a_short_run(series: &Series, scenario: Scenario, variant: Variant) -> bool {
    if variant != Variant::Usual {
        return kernels_of(variant, scenario).first() == Some(&series.name);
    }
    match (series.name, scenario) {
        // 6.1 runs `brief` only. The oldest kernel and the newest run `plain`, which has all tests
        // of `brief`.
        ("6.1", Scenario::Brief) => true,
        // 6.12 is tested as the real-time kernel 6.12-rt. arm64 needs a separate build, with its
        // standard library.
        ("6.1" | "6.12" | "arm64" | "arm64-16k", _) => false,
        // Clusters use containerd.
        (_, Scenario::Pods | Scenario::Docker) => false,
        ("5.10", Scenario::Envbox) => false,
        // This kernel runs `containerd` in the variant `systemd`.
        ("7", Scenario::Containerd) => false,
        _ => is_in_a_full_run(series, scenario, variant),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel_series::SERIES;

    fn machines(
        extent: Extent,
        scenarios: &[Scenario],
        variants: &[Variant],
        kernels: &[&str],
    ) -> Vec<String> {
        let choice = Choice {
            extent,
            scenarios: scenarios.to_vec(),
            variants: variants.to_vec(),
            names_kernels: !kernels.is_empty(),
        };
        let mut machines = Vec::new();
        for series in &SERIES {
            for scenario in Scenario::ALL {
                for variant in Variant::ALL {
                    let chosen = kernels.is_empty() || kernels.contains(&series.name);
                    if chosen && choice.has(series, scenario, variant) {
                        machines.push(format!("{} {scenario} {variant}", series.name));
                    }
                }
            }
        }
        machines
    }

    #[test]
    fn each_variant_is_in_each_run_and_each_kernel_in_a_full_one() {
        for (extent, left_out) in [
            (Extent::Short, ["6.12", "arm64", "arm64-16k"].as_slice()),
            (Extent::Full, &[]),
        ] {
            let machines = machines(extent, &[], &[], &[]);
            let has = |word: &str| {
                let mut words = machines.iter().flat_map(|machine| machine.split(' '));
                words.any(|each| each == word)
            };
            for series in &SERIES {
                let is_left_out = left_out.contains(&series.name);
                assert_ne!(has(series.name), is_left_out, "{extent:?}: {}", series.name);
            }
            for variant in Variant::ALL {
                assert!(has(variant.name()), "{extent:?}: {variant}");
            }
        }
        for (_, _, names) in VARIANTS {
            for name in names {
                assert!(SERIES.iter().any(|series| series.name == *name), "{name}");
            }
        }
    }

    #[test]
    fn a_run_has_containerd_on_two_kernels_and_with_both_cgroup_drivers() {
        let containerd = |extent| {
            let mut machines = machines(extent, &[], &[], &[]);
            machines.retain(|machine| machine.contains("containerd"));
            machines
        };
        assert_eq!(
            containerd(Extent::Short),
            ["5.10 containerd usual", "7 containerd systemd"]
        );
        assert_eq!(
            containerd(Extent::Full),
            [
                "5.10 containerd usual",
                "5.10 containerd systemd",
                "7 containerd usual",
                "7 containerd systemd"
            ]
        );
    }

    #[test]
    fn what_is_named_runs_whatever_the_extent() {
        for extent in [Extent::Short, Extent::Full] {
            assert_eq!(
                machines(extent, &[Scenario::Docker], &[], &[]),
                ["7 docker usual"]
            );
        }
    }

    #[test]
    fn what_a_full_run_has_not_got_can_be_asked_for() {
        use Scenario::Brief;
        assert_eq!(
            machines(Extent::Full, &[], &[Variant::OneCpu], &[]),
            ["5.10 brief one-cpu", "7 brief one-cpu"]
        );
        assert_eq!(
            machines(Extent::Full, &[], &[Variant::OneCpu], &["6.1"]),
            ["6.1 brief one-cpu"]
        );
        assert_eq!(
            machines(Extent::Full, &[Brief], &[], &["6.1"]),
            ["6.1 brief usual"]
        );
        assert_eq!(
            machines(
                Extent::Full,
                &[Scenario::Pods],
                &[],
                &["5.10", "6.18", "arm64"]
            ),
            ["5.10 pods usual"]
        );
        assert_eq!(
            machines(Extent::Full, &[], &[Variant::OneCpu], &["uml", "arm64"]),
            [""; 0]
        );
        assert_eq!(
            machines(
                Extent::Full,
                &[],
                &[Variant::Systemd],
                &["6.1", "6.18", "arm64"]
            ),
            ["6.1 containerd systemd"]
        );
        assert_eq!(
            machines(Extent::Full, &[Scenario::Pods], &[Variant::Systemd], &["7"]),
            [""; 0]
        );
    }
}
