//! One check.

use anyhow::Result;

use crate::kubernetes::cluster::Cluster;

/// What a check does. It returns a remark, which may be empty.
type Function = Box<dyn Fn(&Cluster) -> Result<String>>;

/// A check: `GROUP:WHAT-IS-TRUE`, and the function.
pub(super) struct Check {
    pub(super) name: String,
    pub(super) run: Function,
}
