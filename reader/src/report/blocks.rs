//! The texts and details of execs, in blocks. A browser decompresses a block only to show or search
//! it.

use std::{
    fs::File,
    io::{self, BufWriter, Seek as _, Write},
    path::Path,
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread::{self, JoinHandle},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use flate2::{Compression, write::DeflateEncoder};

use super::details::Details;
use crate::argv::Argv;

/// Maximum number of execs in a block.
const ROWS: usize = 4_096;
/// Number of bytes at which a block ends.
const BYTES: usize = 4 * 1024 * 1024;

/// Writes a part of the data into a hidden element: compressed (RFC 1951), as base64.
pub(super) fn write_part(out: &mut impl Write, id: &str, bytes: &[u8]) -> io::Result<()> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::new(6));
    encoder.write_all(bytes)?;
    let text = STANDARD.encode(encoder.finish()?);
    writeln!(
        out,
        "<script type=\"text/plain\" id=\"part-{id}\">{text}</script>"
    )
}

/// A complete block.
struct Block {
    number: usize,
    texts: String,
    details: Details,
}

/// Writes blocks to a file without a name. Another thread compresses them.
pub(super) struct Blocks {
    texts: String,
    details: Details,
    rows: usize,
    /// The number of the first exec of each block.
    begins: Vec<u32>,
    sender: SyncSender<Block>,
    writer: JoinHandle<io::Result<File>>,
}

impl Blocks {
    /// Creates the file in this directory.
    ///
    /// # Errors
    /// If the file cannot be created.
    pub(super) fn new(directory: &Path) -> io::Result<Self> {
        let file = tempfile::tempfile_in(directory)?;
        let (sender, receiver) = sync_channel(1);
        Ok(Self {
            texts: String::new(),
            details: Details::default(),
            rows: 0,
            begins: vec![0],
            sender,
            writer: thread::spawn(move || write(file, &receiver)),
        })
    }

    /// Adds an exec: its text, its line, and its arguments.
    ///
    /// # Errors
    /// If the file cannot be written. [`Blocks::finish`] has the reason.
    pub(super) fn add(&mut self, text: &str, line: &str, argv: &Argv<'_>) -> io::Result<()> {
        // In a block, a line break ends a text; as JSON, the text itself has none. The quotes are
        // omitted, so that a search does not find them.
        let json = serde_json::Value::from(text).to_string();
        let quoted = json
            .strip_prefix('"')
            .and_then(|json| json.strip_suffix('"'));
        self.texts.push_str(quoted.unwrap_or_default());
        self.texts.push('\n');
        self.details.add(line, argv);
        self.rows += 1;
        if self.rows < ROWS && self.texts.len() + self.details.bytes() < BYTES {
            return Ok(());
        }
        let begin = self.begins.last().copied().unwrap_or(0);
        let rows = u32::try_from(self.rows).unwrap_or(u32::MAX);
        self.send()?;
        self.begins.push(begin.saturating_add(rows));
        Ok(())
    }

    fn send(&mut self) -> io::Result<()> {
        let block = Block {
            number: self.begins.len() - 1,
            texts: std::mem::take(&mut self.texts),
            details: std::mem::take(&mut self.details),
        };
        self.rows = 0;
        self.sender
            .send(block)
            .map_err(|_| io::Error::other("the blocks cannot be written"))
    }

    /// The file with all blocks, rewound to its beginning, and the number of the first exec of each
    /// block.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub(super) fn finish(mut self) -> io::Result<(File, Vec<u32>)> {
        // If this fails, the thread has ended, and the join returns its error.
        let _ = self.send();
        drop(self.sender);
        let written = self.writer.join();
        let mut file = written.map_err(|_| io::Error::other("the writing thread panicked"))??;
        file.rewind()?;
        Ok((file, self.begins))
    }
}

fn write(file: File, receiver: &Receiver<Block>) -> io::Result<File> {
    let mut out = BufWriter::with_capacity(256 * 1024, file);
    for block in receiver {
        let number = block.number;
        write_part(&mut out, &format!("t{number}"), block.texts.as_bytes())?;
        write_part(&mut out, &format!("d{number}"), &block.details.finish())?;
    }
    out.into_inner().map_err(io::IntoInnerError::into_error)
}
