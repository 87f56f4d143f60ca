//! The network of the node: a bridge for its pods, and no way out.

use anyhow::Result;

use crate::command;

/// The bridge, and the address of the node on it.
pub(super) const BRIDGE: &str = "cni0";
pub(super) const ADDRESS: &str = "10.89.0.1";
/// The addresses of pods.
pub(super) const SUBNET: &str = "10.89.0.0/24";

/// Makes the network, in the network namespace of the node.
pub(super) fn make() -> Result<()> {
    let address = format!("{ADDRESS}/24");
    for arguments in [
        &["link", "set", "lo", "up"][..],
        &["link", "add", BRIDGE, "type", "bridge"],
        &["address", "add", &address, "dev", BRIDGE],
        &["link", "set", BRIDGE, "up"],
    ] {
        command::output(command::new("ip").args(arguments))?;
    }
    Ok(())
}
