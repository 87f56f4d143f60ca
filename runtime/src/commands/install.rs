//! `exectrail install`: copies the program to a directory that other containers can read.
//!
//! An image made from scratch has no `cp`. An init container runs this command, for a volume that
//! the workspace also mounts. The workspace can then run `exectrail announce`.

use std::{
    fs::{self, Permissions},
    io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::ExitCode,
};

use crate::cli::InstallArgs;

/// The file of this program. The kernel opens it even if the program's path does not exist in this
/// mount namespace.
const OWN_PROGRAM: &str = "/proc/self/exe";
/// Name of the copy.
const NAME: &str = "exectrail";
/// Name of the copy until it is complete.
const PARTIAL_NAME: &str = ".exectrail.partial";

/// Why the copy failed.
#[derive(Debug, thiserror::Error)]
enum InstallError {
    #[error("cannot create the directory {path}: {source}", path = path.display())]
    Directory { path: PathBuf, source: io::Error },
    #[error(
        "cannot copy {OWN_PROGRAM} to {path}: {source}; is a volume mounted there that user {uid} \
        can write to?",
        path = path.display()
    )]
    Copy {
        path: PathBuf,
        uid: u32,
        source: io::Error,
    },
}

/// Copies the program, and prints the path of the copy.
pub(crate) fn main(args: &InstallArgs) -> ExitCode {
    match install(&args.directory) {
        Ok(copy) => {
            eprintln!("exectrail install: installed {}", copy.display());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("exectrail install: {error}");
            ExitCode::FAILURE
        }
    }
}

fn install(directory: &Path) -> Result<PathBuf, InstallError> {
    fs::create_dir_all(directory).map_err(|source| InstallError::Directory {
        path: directory.to_owned(),
        source,
    })?;
    // The copy is renamed when it is complete. So a container that restarts meanwhile never
    // executes an incomplete copy, and a container that executes the old copy keeps it.
    let partial = directory.join(PARTIAL_NAME);
    let copy = directory.join(NAME);
    fs::copy(OWN_PROGRAM, &partial)
        .and_then(|_| fs::set_permissions(&partial, Permissions::from_mode(0o755)))
        .and_then(|()| fs::rename(&partial, &copy))
        .map_err(|source| InstallError::Copy {
            path: copy.clone(),
            uid: rustix::process::geteuid().as_raw(),
            source,
        })?;
    Ok(copy)
}
