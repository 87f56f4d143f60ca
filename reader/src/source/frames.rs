//! Decompresses a zstd file, which may have several frames.

use std::{
    error::Error,
    io::{self, BufRead, Read},
    iter,
};

use ruzstd::decoding::{
    BlockDecodingStrategy, FrameDecoder,
    errors::{FrameDecoderError, ReadFrameHeaderError},
};

/// The frames of a file.
pub(super) struct Frames {
    file: Box<dyn BufRead>,
    decoder: FrameDecoder,
    is_in_frame: bool,
}

impl Frames {
    /// The frames of `file`.
    pub(super) fn new(file: Box<dyn BufRead>) -> Self {
        Self {
            file,
            decoder: FrameDecoder::new(),
            is_in_frame: false,
        }
    }

    /// Begins the next frame. Returns whether another frame exists.
    fn next(&mut self) -> io::Result<bool> {
        while !self.file.fill_buf()?.is_empty() {
            match self.decoder.init(&mut self.file) {
                Ok(()) => return Ok(true),
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => {
                    let mut skipped = self.file.by_ref().take(length.into());
                    io::copy(&mut skipped, &mut io::sink())?;
                }
                Err(error) => return Err(failure(error)),
            }
        }
        Ok(false)
    }

    /// Compares the checksum of the frame, if it has one.
    fn check(&self) -> io::Result<()> {
        let stated = self.decoder.get_checksum_from_data();
        if stated.is_some() && stated != self.decoder.get_calculated_checksum() {
            return Err(io::Error::other("the checksum of a frame is wrong"));
        }
        Ok(())
    }
}

impl Read for Frames {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            if !self.is_in_frame {
                if !self.next()? {
                    return Ok(0);
                }
                self.is_in_frame = true;
            }
            let read = self.decoder.read(into)?;
            if read > 0 || into.is_empty() {
                return Ok(read);
            }
            if self.decoder.is_finished() {
                self.check()?;
                self.is_in_frame = false;
            } else {
                let strategy = BlockDecodingStrategy::UptoBlocks(1);
                self.decoder
                    .decode_blocks(&mut self.file, strategy)
                    .map_err(failure)?;
            }
        }
    }
}

/// The kernel's error if a read from the file has failed, or else the decoder's error.
fn failure(error: impl Error + Send + Sync + 'static) -> io::Error {
    let causes = iter::successors(error.source(), |&cause| cause.source());
    let mut causes = causes.filter_map(|cause| cause.downcast_ref::<io::Error>());
    match causes.find_map(io::Error::raw_os_error) {
        Some(number) => io::Error::from_raw_os_error(number),
        None => io::Error::other(error),
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    /// A disk with a damaged sector.
    struct Damaged;

    impl Read for Damaged {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::from_raw_os_error(EIO))
        }
    }

    /// The number of this error in Linux.
    const EIO: i32 = 5;

    #[test]
    fn an_error_of_the_kernel_is_not_taken_for_damage() {
        // A frame of "text", without a checksum.
        let frame: &[u8] = b"\x28\xb5\x2f\xfd\x20\x04\x21\x00\x00text";
        let mut text = String::new();
        Frames::new(Box::new(frame))
            .read_to_string(&mut text)
            .unwrap();
        assert_eq!(text, "text");
        for end in 1..frame.len() {
            let file = BufReader::new(frame[..end].chain(Damaged));
            let error = Frames::new(Box::new(file))
                .read_to_end(&mut Vec::new())
                .unwrap_err();
            assert_eq!(error.raw_os_error(), Some(EIO), "{end}: {error:?}");
            let cut = Frames::new(Box::new(&frame[..end])).read_to_end(&mut Vec::new());
            assert_eq!(cut.unwrap_err().raw_os_error(), None, "{end}");
        }
    }
}
