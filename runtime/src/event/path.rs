//! Paths, from the names that the probes have read.

use exectrail_common::record::{PATH_CUT, PATH_OUTSIDE_DIRECTORIES, PATH_READ};

/// A path, in a buffer that is reused for the next one.
#[derive(Debug, Default)]
pub(crate) struct PathBuffer(Vec<u8>);

impl PathBuffer {
    /// The path with these names, which are in order from the last to the first, each with a NUL.
    /// `None` if the path was not read. `flags` are the path's `PATH_…` flags.
    ///
    /// The path has no `/` in front if its beginning is missing, or if the file was never in a
    /// directory.
    pub(crate) fn put(&mut self, names: &[u8], flags: u16) -> Option<&[u8]> {
        self.0.clear();
        if flags & PATH_READ == 0 {
            return None;
        }
        let names = names.strip_suffix(&[0]);
        let mut slash = flags & (PATH_CUT | PATH_OUTSIDE_DIRECTORIES) == 0;
        for name in names
            .iter()
            .flat_map(|names| names.rsplit(|byte| *byte == 0))
        {
            if slash {
                self.0.push(b'/');
            }
            self.0.extend_from_slice(name);
            slash = true;
        }
        if self.0.is_empty() {
            self.0.push(b'/');
        }
        Some(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_from_the_root() {
        let mut path = PathBuffer::default();
        assert_eq!(
            path.put(b"ls\0bin\0usr\0", PATH_READ),
            Some(&b"/usr/bin/ls"[..])
        );
        assert_eq!(path.put(b"", PATH_READ), Some(&b"/"[..]));
        assert_eq!(
            path.put(b"x\0d9\0", PATH_READ | PATH_CUT),
            Some(&b"d9/x"[..])
        );
        let memfd = path.put(b"memfd:a\0", PATH_READ | PATH_OUTSIDE_DIRECTORIES);
        assert_eq!(memfd, Some(&b"memfd:a"[..]));
        assert_eq!(path.put(b"x\0", 0), None);
    }
}
