//! A builder of container images: any that is installed.

use super::debian_packages::{self, Package};
use super::requirement::Found;
use crate::builder::Builder;

pub(super) fn look() -> Found {
    match Builder::find() {
        Some(builder) => Found::Present(format!("{builder}, which builds images")),
        None => debian_packages::look(
            "building images",
            &[Package {
                name: "buildah",
                provides: "buildah",
                reason: "builds images without a daemon",
            }],
        ),
    }
}
