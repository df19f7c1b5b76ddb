//! A Unix socket with a name in the file system, for whoever may connect to it, and for as long as it is served.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tokio::net::{UnixListener, UnixStream};

/// A socket that listens. Its file goes when it is dropped.
pub(crate) struct SocketFile {
    socket: UnixListener,
    path: PathBuf,
    /// Device and inode of its file, which may have been replaced meanwhile.
    file: (u64, u64),
}

impl SocketFile {
    /// Makes the socket, in place of whatever has its name. It is called `draft`, beside it, until nobody can connect to it
    /// whom `mode` does not let in.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn make(path: &Path, draft: &Path, mode: u32) -> io::Result<Self> {
        remove(draft)?;
        let socket = UnixListener::bind(draft)?;
        fs::set_permissions(draft, fs::Permissions::from_mode(mode))?;
        fs::rename(draft, path)?;
        let file = fs::symlink_metadata(path)?;
        Ok(Self {
            socket,
            path: path.to_owned(),
            file: (file.dev(), file.ino()),
        })
    }

    /// The next connection, and the user of the process at its other end, as the kernel vouches.
    pub(crate) async fn accept(&self) -> io::Result<(UnixStream, u32)> {
        let (stream, _nameless) = self.socket.accept().await?;
        let uid = stream.peer_cred()?.uid();
        Ok((stream, uid))
    }

    /// Its path.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let ours =
            fs::symlink_metadata(&self.path).is_ok_and(|found| (found.dev(), found.ino()) == self.file);
        if ours && let Err(error) = remove(&self.path) {
            tracing::warn!(%error, socket = %self.path.display(), "a socket could not be removed");
        }
    }
}

/// Removes a file, if there is one.
///
/// # Errors
/// It is there and cannot be removed.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_socket_is_for_whom_its_mode_lets_in_and_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let (path, draft) = (folder.path().join("a.sock"), folder.path().join("a.new"));
        for mode in [0o600, 0o660] {
            // What a killed process leaves behind, under both names.
            drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
            drop(std::os::unix::net::UnixListener::bind(&draft).unwrap());
            let socket = SocketFile::make(&path, &draft, mode).unwrap();
            let found = fs::symlink_metadata(&path).unwrap().permissions().mode() & 0o777;
            assert_eq!((found, draft.exists()), (mode, false));
            let (_client, accepted) = tokio::join!(UnixStream::connect(&path), socket.accept());
            assert_eq!(accepted.unwrap().1, moho_os::own_user());
            drop(socket);
            assert!(!path.exists());
        }
        let socket = SocketFile::make(&path, &draft, 0o600).unwrap();
        let successor = SocketFile::make(&path, &draft, 0o600).unwrap();
        drop(socket);
        assert!(path.exists(), "what is another's stays");
        drop(successor);
        assert!(!path.exists());
    }
}
