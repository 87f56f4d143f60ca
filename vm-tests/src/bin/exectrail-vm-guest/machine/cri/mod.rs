//! containerd as the node's runtime, through the Container Runtime Interface (CRI v1): the requests
//! of a kubelet, in a kubelet's order.

mod cgroup;
mod client;
mod config;
mod containerd;
mod pod;

pub(crate) use self::{containerd::ready, pod::CriPod};
