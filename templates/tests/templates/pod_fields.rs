//! Fields of a pod that its containers can have values of (pkg/apis/core/validation of Kubernetes
//! 1.33).

/// Fields that a variable can have (`validEnvDownwardAPIFieldPathExpressions`).
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

/// Fields that a file of a volume can have (`validVolumeDownwardAPIFieldPathExpressions`).
pub(crate) const FILE_FIELDS: [&str; 5] = [
    "metadata.annotations",
    "metadata.labels",
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
];
