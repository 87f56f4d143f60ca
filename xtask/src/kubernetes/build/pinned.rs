//! The pinned packages of Debian. The suite is old and no longer changes, so it keeps these
//! versions.

/// The last suite that has the whole source of Kubernetes and a Go that compiles it.
pub(super) const SUITE: &str = "bookworm";

/// Version of Kubernetes.
pub(super) const KUBERNETES: &str = "1.20.2";

/// Version of Go.
pub(super) const GO: &str = "1.19.8";

/// One package of the suite.
#[derive(Clone, Copy)]
pub(super) struct Pinned {
    pub(super) name: &'static str,
    pub(super) version: &'static str,
    /// SHA-256 of the file, or of a source package's `.dsc` file, which has the checksums of the
    /// other files.
    pub(super) sha256: &'static str,
}

/// The packages for the node. Kubernetes is built from source, except kubectl.
pub(super) const NODE: [Pinned; 6] = [
    Pinned {
        name: "etcd-server",
        version: "3.4.23-4+b4",
        sha256: "3a9445d4560ad6de1c375756b2a17d97713df44cbd20a658c871fe108af7ef5d",
    },
    Pinned {
        name: "containerd",
        version: "1.6.20~ds1-1+deb12u3",
        sha256: "8669d264eeb0fcdb4a0b1ba436ab88ec5dafde4a66e1278ec279d830db4c2216",
    },
    Pinned {
        name: "runc",
        version: "1.1.5+ds1-1+deb12u1",
        sha256: "a00351f8c0318de0b424ecf5cd0fdb69880a89f3511cae4f6fff7de3e57881c5",
    },
    Pinned {
        name: "containernetworking-plugins",
        version: "1.1.1+ds1-3+b5",
        sha256: "4cac8143474d1249b19f7b0e80b8d0daaa6dfdaa8bd514bc468d38d4a108099f",
    },
    // kubectl, built from the same source.
    Pinned {
        name: "kubernetes-client",
        version: "1.20.5+really1.20.2-1.1+deb12u1",
        sha256: "087c42dc26c847740043cdaa8b16db666be5591a1da957f822922aa1b677494e",
    },
    // The programs of the workspace.
    Pinned {
        name: "busybox-static",
        version: "1:1.35.0-4+deb12u1+b1",
        sha256: "3d3fdbe91d4660c873e14b092c213fe81c1da6362daa236eb25d0171eb108744",
    },
];

/// The compiler, and the source of its library.
pub(super) const COMPILER: [Pinned; 2] = [
    Pinned {
        name: "golang-1.19-go",
        version: "1.19.8-2",
        sha256: "545123039b6c79e75cf2d86528781a825424cf33ce9d3f4513d772d7144cd531",
    },
    Pinned {
        name: "golang-1.19-src",
        version: "1.19.8-2",
        sha256: "2dfa82fe4f08f4e0193c532e561af4c91871f5235608f04f2bb8d57bb288df5a",
    },
];

/// The source of Kubernetes.
pub(super) const SOURCE: Pinned = Pinned {
    name: "kubernetes",
    version: "1.20.5+really1.20.2-1.1+deb12u1",
    sha256: "19fa1da5aefcef673894ac9511986bd98a14410cf8eea0b626613c30df435257",
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_versions_that_name_the_programs_are_those_of_the_packages() {
        assert!(SOURCE.version.contains(&format!("really{KUBERNETES}-")));
        for package in COMPILER {
            assert!(package.version.starts_with(&format!("{GO}-")));
        }
    }
}
