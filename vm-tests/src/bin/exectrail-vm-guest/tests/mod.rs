//! The tests, one file for each group. The plan's scenario and, in `brief`, its variant decide
//! which tests run.

mod arguments;
mod brief;
#[cfg(feature = "cri")]
mod containerd;
mod docker_identity;
mod dockerd;
mod ends;
mod envbox;
mod failed_execs;
mod faulting_loads;
mod identity;
mod incidents;
mod integrity;
mod machine_properties;
mod native_sidecar;
mod node_in_container;
mod others;
mod pods;
mod refusals;
mod suppression;
mod template_pods;
mod test;
mod tracing;

use exectrail_vm_tests::{Plan, Scenario};

pub(crate) use self::test::{Test, tests};

/// The tests of a plan's scenario.
pub(crate) fn of(plan: &Plan) -> Vec<Test> {
    match plan.scenario {
        Scenario::Boot => Vec::new(),
        Scenario::Brief => brief::tests(plan.variant),
        Scenario::Integrity => integrity::TESTS.to_vec(),
        Scenario::Plain => [
            tracing::TESTS,
            others::TESTS,
            faulting_loads::TESTS,
            arguments::TESTS,
            suppression::TESTS,
            pods::TESTS,
            incidents::TESTS,
            identity::TESTS,
            ends::TESTS,
        ]
        .concat(),
        Scenario::Pods => [
            template_pods::TESTS,
            native_sidecar::TESTS,
            node_in_container::TESTS,
        ]
        .concat(),
        Scenario::Envbox => envbox::TESTS.to_vec(),
        Scenario::Docker => [dockerd::TESTS, docker_identity::TESTS].concat(),
        #[cfg(feature = "cri")]
        Scenario::Containerd => containerd::TESTS.to_vec(),
        #[cfg(not(feature = "cri"))]
        Scenario::Containerd => vec![("containerd", without_cri)],
        Scenario::Confidentiality => refusals::CONFIDENTIALITY.to_vec(),
        Scenario::WithoutBtf => refusals::WITHOUT_BTF.to_vec(),
        Scenario::Refusals => refusals::TESTS.to_vec(),
    }
}

#[cfg(not(feature = "cri"))]
fn without_cri(_: &Plan, _: &crate::report::Report) -> anyhow::Result<()> {
    anyhow::bail!("this program was built without the feature `cri`, which `cargo xtask vm` adds")
}
