//! Shows text that changes on a terminal.

use std::{
    fs::File,
    io::{self, BufReader, IsTerminal as _, Read as _, Write as _},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use rustix::termios::{
    LocalModes, OptionalActions, Termios, Winsize, tcgetattr, tcgetwinsize, tcsetattr,
};

use crate::width::beginning;

/// The bytes of Ctrl-C and Ctrl-D.
const CONTROL_C: u8 = 3;
const CONTROL_D: u8 = 4;
/// ENTER switches to the alternate screen and hides the cursor. LEAVE undoes both (xterm's control
/// sequences, `1049` and `25`).
const ENTER: &str = "\x1b[?1049h\x1b[?25l";
const LEAVE: &str = "\x1b[?25h\x1b[?1049l";

/// The screen of the terminal on standard output. Dropping it restores the terminal.
pub(crate) struct Screen {
    keyboard: File,
    before: Termios,
    is_left: Arc<AtomicBool>,
}

impl Screen {
    /// Takes over the terminal. `None` if standard output is not a terminal, or there is no
    /// keyboard.
    pub(crate) fn new() -> Option<Self> {
        if !io::stdout().is_terminal() {
            return None;
        }
        // Keys are read from the terminal itself, because standard input may be the log.
        let keyboard = File::open("/dev/tty").ok()?;
        let keyboard_of_thread = keyboard.try_clone().ok()?;
        let before = tcgetattr(&keyboard).ok()?;
        let mut keys = before.clone();
        // Each key arrives at once. Ctrl-C arrives as a key and not as a signal. The program can
        // therefore restore the screen before it ends.
        keys.local_modes
            .remove(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG);
        tcsetattr(&keyboard, OptionalActions::Now, &keys).ok()?;
        let is_left = Arc::new(AtomicBool::new(false));
        let screen = Self {
            before,
            is_left: Arc::clone(&is_left),
            keyboard,
        };
        thread::spawn(move || {
            let mut keys = BufReader::new(keyboard_of_thread).bytes();
            // The keys end if the terminal is gone.
            let _ =
                keys.find(|key| matches!(key, Ok(b'q' | b'Q' | CONTROL_C | CONTROL_D) | Err(_)));
            is_left.store(true, Ordering::Relaxed);
        });
        let entered = write!(io::stdout(), "{ENTER}");
        entered.and_then(|()| io::stdout().flush()).ok()?;
        Some(screen)
    }

    /// Whether the user has pressed q, Ctrl-C or Ctrl-D, or the keyboard cannot be read.
    pub(crate) fn is_left(&self) -> bool {
        self.is_left.load(Ordering::Relaxed)
    }

    /// Number of rows and columns.
    pub(crate) fn size(&self) -> (usize, usize) {
        match tcgetwinsize(&self.keyboard) {
            Ok(Winsize {
                ws_row: rows @ 1..,
                ws_col: columns @ 1..,
                ..
            }) => (rows.into(), columns.into()),
            _ => (24, 80),
        }
    }

    /// Shows as much of a text as fits.
    pub(crate) fn show(&self, text: &str) -> io::Result<()> {
        let (rows, columns) = self.size();
        let out = picture(text, rows, columns);
        let mut stdout = io::stdout().lock();
        stdout.write_all(out.as_bytes())?;
        stdout.flush()
    }
}

/// What a terminal must receive to show the beginning of a text, and nothing else.
///
/// After the last column, the cursor stays on that column until the next character. An erasure
/// there would erase the last character of a full row, so each row is erased before it is written.
fn picture(text: &str, rows: usize, columns: usize) -> String {
    let mut out = String::from("\x1b[H");
    let mut lines = text.lines();
    for row in 0..rows {
        // A line break after the last row would scroll the screen.
        if row > 0 {
            out.push_str("\r\n");
        }
        let Some(line) = lines.next() else {
            out.push_str("\x1b[J");
            break;
        };
        out.push_str("\x1b[K");
        out.push_str(beginning(line, columns));
    }
    out
}

impl Drop for Screen {
    fn drop(&mut self) {
        // If the terminal is gone, there is nothing to restore.
        let _ = tcsetattr(&self.keyboard, OptionalActions::Now, &self.before);
        let _ = write!(io::stdout(), "{LEAVE}").and_then(|()| io::stdout().flush());
    }
}

#[cfg(test)]
mod tests {
    use super::picture;

    #[test]
    fn a_full_row_keeps_its_last_character() {
        assert_eq!(picture("abc\nd", 2, 3), "\x1b[H\x1b[Kabc\r\n\x1b[Kd");
        assert_eq!(picture("abcd", 2, 3), "\x1b[H\x1b[Kabc\r\n\x1b[J");
    }

    #[test]
    fn rows_without_text_are_erased() {
        assert_eq!(picture("", 2, 3), "\x1b[H\x1b[J");
        assert_eq!(
            picture("a\n\nb\nc", 3, 3),
            "\x1b[H\x1b[Ka\r\n\x1b[K\r\n\x1b[Kb"
        );
    }
}
