//! The way to a TPM: bytes of a command in, bytes of its answer out.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// Longest answer that is looked at, in bytes: TPMs for PCs have buffers of 4,096.
pub(crate) const LONGEST: usize = 4096;
/// Bytes of an answer's head: tag, length, code.
pub(crate) const HEAD: usize = 10;
/// How long a simulator may take for one command. Real TPMs take seconds to make RSA keys.
const PATIENCE: Duration = Duration::from_secs(120);

/// The way to a TPM.
pub trait Transport: Send {
    /// Sends a command and gives its answer, whole.
    ///
    /// # Errors
    /// That the TPM cannot be reached, or answers with more than it may.
    fn transact(&mut self, command: &[u8]) -> io::Result<Vec<u8>>;
}

/// A TPM that the kernel speaks to: `/dev/tpmrm0`.
pub struct TpmDevice(File);

impl TpmDevice {
    /// Opens the device. That with a resource manager (`/dev/tpmrm0`) forgets objects and sessions of whoever closes it.
    ///
    /// # Errors
    /// That it is not there, or not for this user.
    pub fn open(path: &Path) -> io::Result<Self> {
        OpenOptions::new().read(true).write(true).open(path).map(Self)
    }
}

impl Transport for TpmDevice {
    fn transact(&mut self, command: &[u8]) -> io::Result<Vec<u8>> {
        // The device takes a command in one write, and gives its answer in one read.
        let written = self.0.write(command)?;
        if written != command.len() {
            return Err(io::Error::other("the TPM's device took half of a command"));
        }
        let mut answer = vec![0; LONGEST];
        let length = self.0.read(&mut answer)?;
        answer.truncate(length);
        Ok(answer)
    }
}

/// A simulated TPM behind a Unix socket, as `swtpm socket --server type=unixio` serves it. Nothing that it says proves anything.
pub struct TpmSocket(UnixStream);

impl TpmSocket {
    /// Connects to the socket.
    ///
    /// # Errors
    /// That nobody listens there.
    pub fn connect(path: &Path) -> io::Result<Self> {
        let stream = UnixStream::connect(path)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self(stream))
    }
}

impl Transport for TpmSocket {
    fn transact(&mut self, command: &[u8]) -> io::Result<Vec<u8>> {
        self.0.write_all(command)?;
        let mut head = [0; HEAD];
        self.0.read_exact(&mut head)?;
        let [_, _, length @ .., _, _, _, _] = head;
        let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
        let rest = length
            .checked_sub(HEAD)
            .filter(|_| length <= LONGEST)
            .ok_or_else(|| io::Error::other("the TPM's answer has no length that it may have"))?;
        let mut answer = head.to_vec();
        answer.resize(HEAD.saturating_add(rest), 0);
        self.0.read_exact(answer.get_mut(HEAD..).unwrap_or_default())?;
        Ok(answer)
    }
}
