//! `endpoint.json` in the data directory: where a running moho is, for the commands beside it.

use std::io;
use std::path::{Path, PathBuf};

use moho_os::{PrivateFileError, replace_private};
use moho_terms::EndpointId;
use serde::{Deserialize, Serialize};

/// What the file says.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Endpoint {
    /// The base URL.
    pub(crate) url: String,
    /// The region.
    pub(crate) region: String,
    /// The file that clients have to trust, if the certificate is a generated one.
    pub(crate) ca: Option<String>,
    /// The private endpoint that the URL is of: clients need a certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) private: Option<EndpointId>,
    /// The socket to connect to, if there is no address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) socket: Option<PathBuf>,
    /// The base URL of metrics and probes, if they are served apart.
    #[serde(default)]
    pub(crate) metrics: Option<String>,
}

/// Where the file is.
pub(crate) fn endpoint_path(data: &Path) -> PathBuf {
    data.join("endpoint.json")
}

/// Removes what a moho that was killed has left behind, once the data directory is ours.
///
/// # Errors
/// If there is something that cannot be removed.
pub(crate) fn remove_stale(data: &Path) -> io::Result<()> {
    match std::fs::remove_file(endpoint_path(data)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// The file, which goes when moho stops.
pub(crate) struct Published(PathBuf);

impl Published {
    /// Writes the file, whole or not at all.
    ///
    /// # Errors
    /// [`PrivateFileError`] if the disk fails.
    pub(crate) fn write(data: &Path, endpoint: &Endpoint) -> Result<Self, PrivateFileError> {
        // INVARIANT: strings and options only, so that nothing can fail.
        let text = serde_json::to_vec_pretty(endpoint).unwrap_or_default();
        let path = endpoint_path(data);
        replace_private(&path, &text)?;
        Ok(Self(path))
    }
}

impl Drop for Published {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.0) {
            tracing::warn!(%error, "endpoint.json could not be removed");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_there_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = endpoint_path(folder.path());
        remove_stale(folder.path()).unwrap();
        std::fs::write(&path, "left behind").unwrap();
        remove_stale(folder.path()).unwrap();
        assert!(!path.exists());
        let endpoint = Endpoint {
            url: "https://127.0.0.1:8443".to_owned(),
            region: "us-east-1".to_owned(),
            ca: None,
            private: None,
            socket: None,
            metrics: None,
        };
        let published = Published::write(folder.path(), &endpoint).unwrap();
        let read: Endpoint = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        assert_eq!(read.url, endpoint.url);
        drop(published);
        assert!(!path.exists());
        std::fs::create_dir(&path).unwrap();
        assert!(remove_stale(folder.path()).is_err());
        assert!(Published::write(folder.path(), &endpoint).is_err());
    }
}
