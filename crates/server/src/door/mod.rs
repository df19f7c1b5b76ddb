//! The bootstrap door's socket: how somebody on this machine gets the first credentials.
//!
//! A Unix socket in the data directory, for the user whom moho runs as and nobody else. It only carries requests to the
//! road, which decides; and it goes away, with its file, as soon as the road says that the door is closed.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::watch;

use crate::net::activity::Activity;
use crate::net::connection::Handshake;
use crate::net::socket_file::{self, SocketFile};
use crate::net::{Patient, Peer, Road, Server, Via, accept, connection};

/// Whether the door is open, as the road sees it. Once closed, it stays so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DoorState {
    /// First credentials can be had.
    Open,
    /// The organisation has an identity provider, or this is no development root.
    Closed,
}

/// Why there is no door.
#[derive(Debug, thiserror::Error)]
pub enum DoorError {
    /// The system's limit on a socket's path.
    #[error("the path {} is too long for a socket: choose a data directory with a shorter path", .0.display())]
    PathTooLong(PathBuf),
    /// Anything else.
    #[error("the bootstrap door {} cannot be opened", path.display())]
    Open {
        /// The socket.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// The door's socket, already there but not served yet. Its file goes when it is dropped.
pub struct DoorSocket(SocketFile);

/// The longest path that fits into a socket address, its final zero aside.
const LONGEST_PATH: usize = 107;
/// The user whom moho runs as may connect, and nobody else.
const MODE: u32 = 0o600;
/// Requests at the door at once.
const PLACES: usize = 8;

/// Where the door of a data directory is.
#[must_use]
pub fn socket_path(data: &Path) -> PathBuf {
    data.join("bootstrap.sock")
}

/// Whether the door's socket can have its place in a data directory.
///
/// # Errors
/// [`DoorError::PathTooLong`]: the system has no room for such a path.
pub fn check_path(data: &Path) -> Result<(), DoorError> {
    let path = socket_path(data);
    // The name that it has first is no longer than the one that it keeps.
    if path.as_os_str().len() > LONGEST_PATH {
        Err(DoorError::PathTooLong(path))
    } else {
        Ok(())
    }
}

impl DoorSocket {
    /// Makes the socket, in place of one that a killed moho left behind: the data directory is locked, so no other moho
    /// has it.
    ///
    /// # Errors
    /// [`DoorError`]: it cannot be made.
    pub fn open(data: &Path) -> Result<Self, DoorError> {
        check_path(data)?;
        let path = socket_path(data);
        let made = SocketFile::make(&path, &data.join("bootstrap.new"), MODE);
        made.map(Self).map_err(|source| DoorError::Open { path, source })
    }

    /// Removes a socket that a killed moho left behind.
    ///
    /// # Errors
    /// [`DoorError`]: it is there and cannot be removed.
    pub fn remove_stale(data: &Path) -> Result<(), DoorError> {
        let path = socket_path(data);
        socket_file::remove(&path).map_err(|source| DoorError::Open { path, source })
    }
}

/// Serves the door until it is closed or the server stops. A sender that is gone counts as closed.
pub fn serve<R: Road>(server: &Server<R>, door: DoorSocket, own_uid: u32, state: watch::Receiver<DoorState>) {
    let mut closing = state.clone();
    let rim = Arc::clone(server.rim());
    let places = Arc::new(tokio::sync::Semaphore::new(PLACES));
    let accepting = async move {
        while let Ok(place) = Arc::clone(&places).acquire_owned().await {
            let (stream, uid) = accept::next(|| door.0.accept()).await;
            if uid != own_uid {
                tracing::warn!("the bootstrap door turned a user away who is not moho's own");
                continue;
            }
            let activity = Arc::new(Activity::new());
            let serving = connection::http1(
                Arc::clone(&rim),
                Patient::new(stream, rim.settings.limits.stall, Arc::clone(&activity)),
                ((Peer::Door { uid }, Via::Door, Handshake::default()), activity),
            );
            let mut closed = state.clone();
            rim.tasks.spawn(async move {
                tokio::select! {
                    () = serving => {}
                    () = closed_door(&mut closed) => {}
                }
                drop(place);
            });
        }
    };
    let stopping = server.rim().tasks.clone();
    server.rim().tasks.spawn(async move {
        tokio::select! {
            () = accepting => {}
            () = closed_door(&mut closing) => tracing::info!("the bootstrap door is closed"),
            () = stopping.draining() => {}
        }
    });
}

async fn closed_door(state: &mut watch::Receiver<DoorState>) {
    drop(state.wait_for(|now| *now == DoorState::Closed).await);
}
