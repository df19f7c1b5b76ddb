//! Asking whoever sits at the terminal for a secret, which nobody who looks on shall see.

use std::fs::File;
use std::io::{self, Read, Write};

use rustix::fs::{Mode, OFlags};
use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

/// The longest line.
const MOST: usize = 4096;
/// What Ctrl-C sends.
const INTERRUPT: u8 = 3;

/// A secret could not be asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TerminalError {
    /// Nobody sits there.
    #[error("there is no terminal to ask at")]
    None(#[source] io::Error),
    /// The terminal failed, or would have shown the secret.
    #[error("the terminal cannot be asked at")]
    Io(#[source] io::Error),
    /// Whoever sits there did not want to, or has gone.
    #[error("nothing was entered")]
    Cancelled,
    /// No secret is that long.
    #[error("a line has at most 4096 bytes")]
    TooLong,
}

/// Shows `prompt` at the terminal of this process and reads a line that is not shown.
///
/// # Errors
/// [`TerminalError`]; then nothing was read, or it is wiped.
pub fn ask_hidden(prompt: &str) -> Result<Zeroizing<Vec<u8>>, TerminalError> {
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let terminal = rustix::fs::open("/dev/tty", flags, Mode::empty());
    let mut terminal = File::from(terminal.map_err(|errno| TerminalError::None(errno.into()))?);
    let hidden = Hidden::on(&terminal)?;
    terminal.write_all(prompt.as_bytes()).map_err(TerminalError::Io)?;
    let line = read_line(&mut terminal);
    drop(hidden);
    terminal.write_all(b"\n").map_err(TerminalError::Io)?;
    line
}

/// A terminal that does not show what is typed, until this is dropped.
struct Hidden {
    terminal: File,
    before: Termios,
}

impl Hidden {
    fn on(terminal: &File) -> Result<Self, TerminalError> {
        let terminal = terminal.try_clone().map_err(TerminalError::Io)?;
        let before = tcgetattr(&terminal).map_err(|errno| TerminalError::Io(errno.into()))?;
        let mut hidden = before.clone();
        // Without signals, so that nobody is left with a terminal that shows nothing; Ctrl-C ends the line instead.
        hidden
            .local_modes
            .remove(LocalModes::ECHO | LocalModes::ECHONL | LocalModes::ISIG);
        hidden.local_modes.insert(LocalModes::ICANON);
        hidden.special_codes[SpecialCodeIndex::VEOL] = INTERRUPT;
        tcsetattr(&terminal, OptionalActions::Flush, &hidden)
            .map_err(|errno| TerminalError::Io(errno.into()))?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        // A terminal that has gone needs nothing put right.
        let _restored: rustix::io::Result<()> = tcsetattr(&self.terminal, OptionalActions::Now, &self.before);
    }
}

/// One line, without its end.
fn read_line(from: &mut impl Read) -> Result<Zeroizing<Vec<u8>>, TerminalError> {
    let mut line = Zeroizing::new(Vec::with_capacity(MOST));
    let mut byte = Zeroizing::new([0]);
    loop {
        if from.read(byte.as_mut_slice()).map_err(TerminalError::Io)? == 0 {
            return Err(TerminalError::Cancelled);
        }
        match *byte {
            [b'\n'] => return Ok(line),
            [INTERRUPT] => return Err(TerminalError::Cancelled),
            [_] if line.len() >= MOST => return Err(TerminalError::TooLong),
            [other] => line.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_ends_with_its_end_and_is_given_up_with_an_interrupt() {
        assert_eq!(
            *read_line(&mut b"secret words\nmore".as_slice()).unwrap(),
            b"secret words"
        );
        assert_eq!(*read_line(&mut b"\n".as_slice()).unwrap(), b"");
        for gone in [b"secret".as_slice(), b"sec\x03", b""] {
            assert!(matches!(read_line(&mut { gone }), Err(TerminalError::Cancelled)));
        }
        let longest = [vec![b'x'; MOST], vec![b'\n']].concat();
        assert_eq!(read_line(&mut longest.as_slice()).unwrap().len(), MOST);
        let longer = vec![b'x'; MOST + 1];
        assert!(matches!(
            read_line(&mut longer.as_slice()),
            Err(TerminalError::TooLong)
        ));
    }
}
