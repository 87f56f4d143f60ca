//! The protocol of announcements: the request, the decision about it, and the client.

pub(crate) mod client;
pub(crate) mod listening_socket;
pub(crate) mod request;
pub(crate) mod verdict;
