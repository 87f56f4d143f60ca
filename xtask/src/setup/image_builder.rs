//! A builder of container images: any that is installed.

use super::Found;
use super::debian_packages::{self, Package};
use crate::image::Builder;

pub(super) fn look() -> Found {
    match Builder::find() {
        Some(builder) => Found::Present(format!("{builder}, which builds images")),
        None => debian_packages::look(
            "building images",
            &[Package {
                name: "buildah",
                provides: "buildah",
                reason: "builds images, needing no daemon",
            }],
        ),
    }
}
