//! Fields of a pod whose values its containers can get (pkg/apis/core/validation of Kubernetes
//! 1.33).

/// Fields whose value a variable can have (`validEnvDownwardAPIFieldPathExpressions`).
pub(crate) const VARIABLE_FIELDS: [&str; 9] = [
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
];

/// Fields whose value a file of a volume can have (`validVolumeDownwardAPIFieldPathExpressions`).
pub(crate) const FILE_FIELDS: [&str; 5] = [
    "metadata.annotations",
    "metadata.labels",
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
];
