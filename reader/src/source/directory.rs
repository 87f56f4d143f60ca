//! Finds the log files of a container in a directory of the kubelet. Their names are
//! `RESTARTS.log`, after rotation `RESTARTS.log.TIME`, and later `RESTARTS.log.TIME.gz`
//! (pkg/kubelet/logs/container_log_manager.go in Kubernetes 1.31).

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::{input::SourceError, name_of};

/// The order of files: by number of restarts, rotated files first, and by time of rotation.
type Order = (u64, bool, String);

/// The files to read. A directory stands for its files, oldest first.
///
/// # Errors
/// If a directory cannot be read, or has no file of a container.
pub(crate) fn files_of(paths: &[PathBuf]) -> Result<Vec<PathBuf>, SourceError> {
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            files.extend(in_directory(path)?);
        } else {
            files.push(path.clone());
        }
    }
    Ok(files)
}

/// The files of a directory that are not rotated. Each restart has one.
pub(crate) fn present_files(directory: &Path) -> Vec<PathBuf> {
    let mut files = in_directory(directory).unwrap_or_default();
    files.retain(|file| !is_rotated(file));
    files
}

/// Whether a file has the name of a rotated one. Nothing is added to a rotated file.
pub(crate) fn is_rotated(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    name.and_then(order)
        .is_some_and(|(_, is_present, _)| !is_present)
}

fn in_directory(directory: &Path) -> Result<Vec<PathBuf>, SourceError> {
    let failed = |source| SourceError::Open {
        name: name_of(directory),
        source,
    };
    let mut files: Vec<(Order, PathBuf)> = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if let Some(order) = entry.file_name().to_str().and_then(order) {
            files.push((order, entry.path()));
        }
    }
    if files.is_empty() {
        let reason = "it is a directory without a container's files, such as 0.log; give the \
                      directory of a container, or files";
        return Err(failed(io::Error::other(reason)));
    }
    files.sort_unstable();
    // After compression, both forms exist until the kubelet removes the uncompressed one.
    files.dedup_by(|(next, _), (order, _)| next == order);
    Ok(files.into_iter().map(|(_, path)| path).collect())
}

/// The place of a file in the order; `None` if the kubelet keeps no log under this name.
fn order(name: &str) -> Option<Order> {
    let (restarts, rest) = name.split_once(".log")?;
    let restarts = restarts.parse().ok()?;
    if rest.is_empty() {
        return Some((restarts, true, String::new()));
    }
    let time = rest.strip_prefix('.')?;
    let time = time.strip_suffix(".gz").unwrap_or(time);
    let is_time = |byte: u8| byte.is_ascii_digit() || byte == b'-';
    let is_rotated = !time.is_empty() && time.bytes().all(is_time);
    is_rotated.then(|| (restarts, false, time.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_of_a_container_are_read_oldest_first() {
        let directory = tempfile::tempdir().unwrap();
        let expected = [
            "0.log.20261124-101010.gz",
            "0.log.20261124-111010.gz",
            "0.log.20261124-121010",
            "0.log",
            "2.log.20261125-101010",
            "2.log",
            "10.log",
        ];
        for name in expected.iter().rev() {
            fs::write(directory.path().join(name), "").unwrap();
        }
        for name in [
            "0.log.20261124-121010.gz",
            "0.log.20261124-121010.tmp",
            "notes",
            "x.log",
        ] {
            fs::write(directory.path().join(name), "").unwrap();
        }
        let files = files_of(&[directory.path().to_owned(), "-".into()]).unwrap();
        let names = files.iter().map(|file| file.file_name().unwrap());
        let names: Vec<_> = names.map(|name| name.to_str().unwrap()).collect();
        assert_eq!(names, [&expected[..], &["-"]].concat());
    }

    #[test]
    fn a_directory_of_something_else_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let error = files_of(&[directory.path().to_owned()]).unwrap_err();
        assert!(
            error.to_string().contains("without a container's files"),
            "{error}"
        );
    }
}
