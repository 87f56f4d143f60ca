//! The platform that exectrail runs on, if the remedy depends on it. This is a sandbox, a virtual
//! machine for each pod, or a node whose kernel is configured in its own way.

use std::path::PathBuf;

use crate::files;
use crate::report::{Check, Id, Verdict};
use crate::{KernelVersion, Roots};

/// A platform that a container can recognize.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Platform {
    /// A user-space kernel that replaces Linux: <https://gvisor.dev>.
    GVisor,
    /// A virtual machine for each pod: <https://katacontainers.io>.
    Kata,
    /// <https://www.talos.dev>
    Talos,
    /// <https://bottlerocket.dev>
    Bottlerocket,
}

/// Evidence of a platform: the file, and what it shows.
type Trace = (PathBuf, String);

/// The platform, if one was recognized.
pub(super) struct Found {
    platform: Option<Platform>,
    traces: Vec<Trace>,
    /// The files that are shown as evidence if no platform was recognized.
    looked_at: Vec<PathBuf>,
}

impl Found {
    /// Looks for traces of a platform. `release` is the kernel's, from [`super::node::Release`].
    pub(super) fn read(roots: &Roots, release: Option<&str>) -> Self {
        let file = |path: &str| {
            let path = roots.proc.join(path);
            let text = files::read_text(&path).unwrap_or_default();
            (path, text)
        };
        let (version, command_line) = (file("version"), file("cmdline"));
        let mounts = file("self/mountinfo");
        let sentry = roots.proc.join("sentry-meminfo");
        let release_path = roots.proc.join("sys/kernel/osrelease");
        let release = (release_path, release.unwrap_or_default().to_owned());

        let mut traces: Vec<(Platform, Trace)> = Vec::new();
        let mut note = |platform, path: &PathBuf, what: Option<&str>| {
            if let Some(what) = what {
                traces.push((platform, (path.clone(), what.to_owned())));
            }
        };
        note(
            Platform::GVisor,
            &version.0,
            gvisor_version(&version.1).then_some(version.1.trim()),
        );
        note(
            Platform::GVisor,
            &command_line.0,
            word(&command_line.1, is_gvisor_image),
        );
        note(
            Platform::GVisor,
            &sentry,
            sentry.is_file().then_some("a file that only gVisor has"),
        );
        note(
            Platform::Kata,
            &command_line.0,
            word(&command_line.1, is_of_kata),
        );
        note(
            Platform::Kata,
            &mounts.0,
            mounts.1.lines().find_map(kata_mount),
        );
        note(
            Platform::Talos,
            &release.0,
            release.1.ends_with("-talos").then_some(release.1.as_str()),
        );
        note(
            Platform::Talos,
            &command_line.0,
            word(&command_line.1, |word| word.starts_with("talos.platform=")),
        );
        note(
            Platform::Bottlerocket,
            &version.0,
            bottlerocket_compiler(&version.1),
        );

        // gVisor has no BTF. A kernel with BTF is Linux, whatever its name.
        if roots.sys.join("kernel/btf/vmlinux").exists() {
            traces.retain(|(of, _)| *of != Platform::GVisor);
        }
        // If there are several, a sandbox or a virtual machine matters more than the kernel's
        // build.
        let platform = [
            Platform::GVisor,
            Platform::Kata,
            Platform::Talos,
            Platform::Bottlerocket,
        ]
        .into_iter()
        .find(|platform| traces.iter().any(|(of, _)| of == platform));
        Self {
            platform,
            traces: traces
                .into_iter()
                .filter(|(of, _)| Some(*of) == platform)
                .map(|(_, trace)| trace)
                .collect(),
            looked_at: vec![version.0, command_line.0],
        }
    }

    pub(super) fn is(&self, platform: Platform) -> bool {
        self.platform == Some(platform)
    }

    /// The check that names the platform.
    pub(super) fn check(&self) -> Check {
        let (verdict, summary) = match self.platform {
            Some(Platform::GVisor) => (
                Verdict::Unmet,
                "gVisor is the kernel of this container, and it has no BPF",
            ),
            Some(Platform::Kata) => (
                Verdict::Ok,
                "in a virtual machine of Kata Containers, with a kernel of its own",
            ),
            Some(Platform::Talos) => (Verdict::Ok, "on Talos Linux"),
            Some(Platform::Bottlerocket) => (Verdict::Ok, "on Bottlerocket"),
            None => (
                Verdict::Ok,
                "neither a sandbox nor a virtual machine of the pod was recognized",
            ),
        };
        let mut check = Check::new(Id::Platform, verdict, summary);
        for (path, what) in &self.traces {
            check = check.saw_in(path, "", what);
        }
        if self.platform.is_none() {
            for path in &self.looked_at {
                check = check.saw_in(path, "", "nothing that names a platform");
            }
        }
        match self.other_kernel() {
            Some(remedy) if verdict == Verdict::Unmet => check.remedy(remedy),
            _ => check,
        }
    }

    /// The remedy for an obstacle in the kernel; `None` if the platform does not determine it.
    pub(super) fn other_kernel(&self) -> Option<String> {
        match self.platform? {
            Platform::GVisor => Some(
                "give traced workspaces a runtimeClassName of runc or crun, whose containers \
                share the node's kernel"
                    .to_owned(),
            ),
            Platform::Kata => Some(format!(
                "give traced workspaces another runtimeClassName, or give Kata a \
                 guest kernel from Linux {}.{} on, built with CONFIG_DEBUG_INFO_BTF=y, \
                 CONFIG_BPF_SYSCALL=y and CONFIG_BPF_EVENTS=y",
                KernelVersion::OLDEST.major,
                KernelVersion::OLDEST.minor,
            )),
            Platform::Talos | Platform::Bottlerocket => None,
        }
    }

    /// How to leave lockdown=confidentiality.
    pub(super) fn other_lockdown(&self) -> &'static str {
        match self.platform {
            Some(Platform::Talos) => {
                "in the node's Image Factory schematic set extraKernelArgs: [-lockdown, \
                 lockdown=integrity], and upgrade the node to that image: Talos boots \
                 lockdown=confidentiality with Secure Boot"
            }
            Some(Platform::Bottlerocket) => {
                "set kernel.lockdown = \"integrity\" in the node's settings (user data: \
                 [settings.kernel]; on the node: apiclient set kernel.lockdown=integrity), and \
                 reboot it"
            }
            Some(Platform::Kata) => {
                "give traced workspaces another runtimeClassName, or boot Kata's \
                 guest kernel with lockdown=integrity"
            }
            Some(Platform::GVisor) | None => {
                "boot the node with lockdown=integrity, which is enough for Secure Boot on most \
                 distributions, or choose another node"
            }
        }
    }

    /// In gVisor, replaces the verdict on something that gVisor only imitates, because the remedy
    /// of that check would not help.
    pub(super) fn judge(&self, mut check: Check) -> Check {
        if self.is(Platform::GVisor) {
            check.verdict = Verdict::NotApplicable;
            check.summary =
                "gVisor only imitates what this check reads; see the check `platform`".to_owned();
            check.remedy = None;
        }
        check
    }
}

/// The first word of a kernel command line for which `fits` holds.
fn word(command_line: &str, fits: impl Fn(&str) -> bool) -> Option<&str> {
    command_line.split_whitespace().find(|word| fits(word))
}

/// Whether this is gVisor's `/proc/version`. Linux names its compiler and builder in parentheses.
/// gVisor does not, and all of its versions have the same build time (pkg/sentry/syscalls/linux).
fn gvisor_version(version: &str) -> bool {
    let imitated = version.starts_with("Linux version ") && !version.contains('(');
    imitated && version.contains("#1 SMP Sun Jan 10 15:06:54 PST 2016")
        || version
            .split_whitespace()
            .nth(2)
            .is_some_and(|release| release.ends_with("-gvisor"))
}

/// Whether the word is the first one of gVisor's `/proc/cmdline`, which begins with
/// `BOOT_IMAGE=/vmlinuz-4.4.0-gvisor`.
fn is_gvisor_image(word: &str) -> bool {
    word.strip_prefix("BOOT_IMAGE=")
        .is_some_and(|image| image.ends_with("-gvisor"))
}

/// Whether Kata's runtime passes this word to its guest kernel: systemd's start target, or a
/// setting of Kata's agent.
fn is_of_kata(word: &str) -> bool {
    word == "systemd.unit=kata-containers.target" || word.starts_with("agent.")
}

/// The mount of the directory that Kata shares with the guest: `… - virtiofs kataShared …`.
fn kata_mount(line: &str) -> Option<&str> {
    let source = line.split_once(" - ")?.1.split(' ').nth(1)?;
    (source == "kataShared").then_some(line)
}

/// The compiler of Bottlerocket's SDK, whose name is in the kernel's version:
/// `x86_64-bottlerocket-linux-gnu-gcc`.
fn bottlerocket_compiler(version: &str) -> Option<&str> {
    version
        .split(['(', ')', ' '])
        .find(|word| word.contains("-bottlerocket-linux-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_linux_kernel_is_not_taken_for_gvisor() {
        let linux = "Linux version 6.1.0-37-amd64 (debian-kernel@lists.debian.org) (gcc-12 \
                     (Debian 12.2.0-14) 12.2.0) #1 SMP PREEMPT_DYNAMIC Debian 6.1.140-1";
        assert!(!gvisor_version(linux));
        assert!(!gvisor_version(""));
        assert!(!gvisor_version("Linux version 4.4.0 #1 SMP"));
        assert!(gvisor_version(
            "Linux version 4.4.0 #1 SMP Sun Jan 10 15:06:54 PST 2016\n"
        ));
        assert!(gvisor_version("Linux version 4.19.0-gvisor #1 SMP\n"));
        assert!(!is_gvisor_image("BOOT_IMAGE=/boot/vmlinuz-6.1.0-37-amd64"));
        assert!(!is_gvisor_image("gvisor"));
    }

    #[test]
    fn a_virtiofs_mount_alone_is_not_kata() {
        let own = "30 29 0:35 /share /mnt rw - virtiofs myshare rw";
        assert_eq!(kata_mount(own), None);
        assert!(kata_mount("1 2 0:3 /c/rootfs / rw - virtiofs kataShared rw").is_some());
        assert_eq!(kata_mount("kataShared"), None);
        assert!(!is_of_kata("systemd.unit=multi-user.target"));
        assert!(!is_of_kata("reagent.x=1"));
    }
}
