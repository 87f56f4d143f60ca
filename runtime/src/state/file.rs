//! The file of the state, in its directory.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use exectrail_common::target::{MAX_TARGETS, NsId};
use exectrail_proof::Checkpoint;
use procfs::sys::kernel::random;
use serde::{Deserialize, Serialize};

use super::error::{StateError, VERSION};

use crate::event::clock::WallClock;

/// If a FIFO has the file's name, a blocking open would wait for a process at its other end.
const NONBLOCK: i32 = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();

/// Name of the file in the state directory.
const FILE: &str = "exectrail-state.json";
/// Name of the file before it replaces [`FILE`].
const NEXT_FILE: &str = "exectrail-state.json.new";
/// Maximum size of a file that is read, bytes. Each target takes less than 100 bytes.
const MAX_BYTES: u64 = 1 << 20;
/// Maximum number of targets that a run takes over from the previous one. Some may have ended,
/// which is proved only when their numbers are used again. So half of the table is left for new
/// targets.
const MAX_TAKEN_OVER: usize = MAX_TARGETS as usize / 2;

/// The pod of a state. A container that restarts stays in its pod.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pod {
    /// Inode number of the network namespace.
    pub net_ns: u32,
    /// Id of the pod's cgroup; 0 if unknown.
    pub cgroup: u64,
}

/// The previous run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Previous {
    /// The run's random id.
    pub run: String,
    /// The run is known to have recorded its targets until this time, boot clock, nanoseconds.
    pub until: u64,
    /// The run's targets; if there are too many, those that started last.
    pub targets: Vec<NsId>,
    /// Number of further targets, which are not taken over.
    pub not_taken_over: usize,
    /// The run's last checkpoint.
    pub checkpoint: Option<Checkpoint>,
}

/// The file's contents.
#[derive(Debug, Serialize, Deserialize)]
struct Contents {
    version: u32,
    boot_id: String,
    pod: Pod,
    run: String,
    /// Time until which the targets were recorded, boot clock, nanoseconds.
    until: u64,
    targets: Vec<Target>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    checkpoint: Option<Checkpoint>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Target {
    pid_ns: u32,
    /// Start time of the namespace's first process, boot clock, nanoseconds.
    start: u64,
}

/// The file of the state. Its directory may be missing, or not writable.
#[derive(Debug)]
pub(crate) struct StateFile {
    path: PathBuf,
    boot_id: String,
    pod: Pod,
    run: String,
}

impl StateFile {
    /// The state file in the directory `path`, for the run `run` in `pod`.
    ///
    /// # Errors
    /// If the id of this boot cannot be read.
    pub(crate) fn new(path: PathBuf, pod: Pod, run: String) -> Result<Self, StateError> {
        let boot_id = random::boot_id().map_err(StateError::BootId)?;
        Ok(Self {
            path,
            boot_id,
            pod,
            run,
        })
    }

    /// The state of the previous run; `None` if the directory has no state of this boot.
    ///
    /// # Errors
    /// If the file exists and cannot be used.
    pub(crate) fn previous(&self) -> Result<Option<Previous>, StateError> {
        let path = self.path.join(FILE);
        let bytes = match read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(StateError::Read { path, source }),
        };
        #[derive(Deserialize)]
        struct Versioned {
            version: u32,
        }
        let damaged = |reason: serde_json::Error| StateError::Damaged {
            path: path.clone(),
            reason: reason.to_string(),
        };
        let Versioned { version } = serde_json::from_slice(&bytes).map_err(damaged)?;
        if version != VERSION {
            return Err(StateError::Version { path, version });
        }
        let contents: Contents = serde_json::from_slice(&bytes).map_err(damaged)?;
        if contents.boot_id != self.boot_id {
            return Ok(None);
        }
        if contents.pod != self.pod {
            return Err(StateError::Foreign { path });
        }
        if contents.until > WallClock::boot_now() {
            return Err(StateError::Damaged {
                path,
                reason: "its time is in the future".to_owned(),
            });
        }
        let mut targets: Vec<NsId> = contents.targets.iter().map(Target::id).collect();
        targets.sort_by_key(|id| (id.start, id.inum));
        let not_taken_over = targets.len().saturating_sub(MAX_TAKEN_OVER);
        targets.drain(..not_taken_over);
        Ok(Some(Previous {
            run: contents.run,
            until: contents.until,
            targets,
            not_taken_over,
            checkpoint: contents.checkpoint,
        }))
    }

    /// Whether a state can be saved here. An existing state is unchanged.
    pub(crate) fn is_writable(&self) -> bool {
        let next = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(NONBLOCK)
            .open(self.path.join(NEXT_FILE));
        next.is_ok()
    }

    /// Saves the targets, recorded until `until`, and the last checkpoint.
    ///
    /// The file is not synchronized to the disk. It is useful only until the next boot, and until
    /// then the page cache has it.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub(crate) fn save(
        &self,
        until: u64,
        targets: impl Iterator<Item = NsId>,
        checkpoint: Option<Checkpoint>,
    ) -> Result<(), StateError> {
        let contents = Contents {
            version: VERSION,
            boot_id: self.boot_id.clone(),
            pod: self.pod,
            run: self.run.clone(),
            until,
            targets: targets.map(Target::of).collect(),
            checkpoint,
        };
        let next = self.path.join(NEXT_FILE);
        let write = || {
            let mut file = OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .custom_flags(NONBLOCK)
                .open(&next)?;
            file.write_all(&serde_json::to_vec(&contents)?)?;
            fs::rename(&next, self.path.join(FILE))
        };
        write().map_err(|source| StateError::Write {
            path: next.clone(),
            source,
        })
    }
}

impl Target {
    fn of(id: NsId) -> Self {
        Self {
            pid_ns: id.inum,
            start: id.start,
        }
    }

    fn id(&self) -> NsId {
        NsId {
            start: self.start,
            inum: self.pid_ns,
            zero: 0,
        }
    }
}

/// Reads a regular file of limited size.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let file: File = OpenOptions::new()
        .read(true)
        .custom_flags(NONBLOCK)
        .open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(io::Error::other(format!(
            "it is larger than {MAX_BYTES} bytes"
        )));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use exectrail_proof::Head;

    const POD: Pod = Pod {
        net_ns: 4_026_532_000,
        cgroup: 77,
    };

    fn id(inum: u32, start: u64) -> NsId {
        NsId {
            start,
            inum,
            zero: 0,
        }
    }

    fn state(dir: &TempDir, pod: Pod, run: &str) -> StateFile {
        StateFile::new(dir.path().to_owned(), pod, run.to_owned()).unwrap()
    }

    #[test]
    fn what_is_saved_is_found_by_the_next_run() {
        let dir = TempDir::new().unwrap();
        let first = state(&dir, POD, "one");
        assert_eq!(first.previous().unwrap(), None);
        let targets = [id(4_026_532_100, 5), id(4_026_532_101, 6)];
        let checkpoint = Checkpoint {
            line: 77,
            head: Head::default(),
        };
        first
            .save(9, targets.into_iter(), Some(checkpoint))
            .unwrap();
        let previous = state(&dir, POD, "two").previous().unwrap().unwrap();
        assert_eq!(
            previous,
            Previous {
                run: "one".to_owned(),
                until: 9,
                targets: targets.to_vec(),
                not_taken_over: 0,
                checkpoint: Some(checkpoint),
            }
        );
    }

    /// The next run takes over only the latest targets, so it has room for new ones.
    #[test]
    fn half_of_the_table_is_for_new_targets() {
        let dir = TempDir::new().unwrap();
        let first = state(&dir, POD, "one");
        let ids = (0..3 * u64::from(MAX_TARGETS)).map(|n| id(4_026_532_100, n));
        first.save(9, ids, None).unwrap();
        let previous = state(&dir, POD, "two").previous().unwrap().unwrap();
        assert_eq!(previous.targets.len(), MAX_TAKEN_OVER);
        assert_eq!(
            previous.not_taken_over,
            3 * MAX_TARGETS as usize - MAX_TAKEN_OVER
        );
        assert_eq!(
            previous.targets.last().map(|id| id.start),
            Some(3 * u64::from(MAX_TARGETS) - 1)
        );
    }

    #[test]
    fn a_state_of_later_than_now_is_damaged() {
        let dir = TempDir::new().unwrap();
        let first = state(&dir, POD, "one");
        first.save(u64::MAX, [].into_iter(), None).unwrap();
        let error = first.previous().unwrap_err().to_string();
        assert!(error.contains("in the future"), "{error}");
    }

    #[test]
    fn what_cannot_be_used_is_named_and_ignored() {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join(FILE);
        let this = state(&dir, POD, "two");
        let error = |contents: &str| {
            fs::write(&path, contents).unwrap();
            this.previous().unwrap_err().to_string()
        };
        for damaged in [
            "",
            "{",
            "[]",
            r#"{"version":1}"#,
            r#"{"version":"1"}"#,
            "\0\0",
        ] {
            assert!(error(damaged).contains("is damaged"), "{damaged:?}");
        }
        assert!(error(r#"{"version":2,"more":1}"#).contains("has version 2"));
        assert!(error(&"x".repeat(2 << 20)).contains("larger than"));

        let other = Pod { net_ns: 1, ..POD };
        state(&dir, other, "one")
            .save(9, [].into_iter(), None)
            .unwrap();
        let error = this.previous().unwrap_err();
        assert!(matches!(error, StateError::Foreign { .. }), "{error}");
    }

    #[test]
    fn a_state_of_another_boot_is_none() {
        let dir = TempDir::new().unwrap();
        let mut other = state(&dir, POD, "one");
        other.boot_id = "another".to_owned();
        other.save(9, [id(1, 2)].into_iter(), None).unwrap();
        assert_eq!(state(&dir, POD, "two").previous().unwrap(), None);
    }

    #[test]
    fn a_directory_that_cannot_be_written_is_named() {
        let dir = TempDir::new().unwrap();
        let gone = dir.path().join("gone");
        let state = StateFile::new(gone, POD, "one".to_owned()).unwrap();
        assert_eq!(state.previous().unwrap(), None);
        let error = state.save(1, [].into_iter(), None).unwrap_err().to_string();
        assert!(error.contains("cannot write"), "{error}");
    }
}
