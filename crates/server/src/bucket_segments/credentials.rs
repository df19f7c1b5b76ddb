//! The access key for a bucket: in a file that nobody else may read, as AWS's tools write it, and read again when it changes, as
//! temporary ones do.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use moho_os::{PrivateFileError, read_private_within};
use object_store::CredentialProvider;
use object_store::aws::AwsCredential;

/// Bytes of the file.
const LONGEST: usize = 16 << 10;

/// Why there are no credentials: the end of a sentence about their file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the credentials file {0}")]
pub(crate) struct CredentialsProblem(pub(super) &'static str);

/// Credentials that rest in a file.
#[derive(Debug)]
pub(super) struct FileCredentials {
    path: PathBuf,
    read: Mutex<Option<Read>>,
}

/// What was read, and of which file.
struct Read {
    of: Seen,
    credential: Arc<AwsCredential>,
}

impl std::fmt::Debug for Read {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Read").finish_non_exhaustive()
    }
}

/// By what a file that was changed is told from the one before: its number, its length, and when it was changed.
type Seen = (u64, u64, i64, i64);

impl FileCredentials {
    pub(super) fn new(path: PathBuf) -> Self {
        Self {
            path,
            read: Mutex::default(),
        }
    }

    /// The credentials as the file has them now.
    pub(super) fn now(&self) -> Result<Arc<AwsCredential>, CredentialsProblem> {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = seen(&self.path);
        if let (Some(read), Some(seen)) = (&*read, seen)
            && read.of == seen
        {
            return Ok(Arc::clone(&read.credential));
        }
        let credential = Arc::new(open(&self.path)?);
        *read = seen.map(|of| Read {
            of,
            credential: Arc::clone(&credential),
        });
        Ok(credential)
    }
}

#[async_trait]
impl CredentialProvider for FileCredentials {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        self.now().map_err(|problem| object_store::Error::Generic {
            store: "credentials",
            source: Box::new(problem),
        })
    }
}

fn seen(path: &Path) -> Option<Seen> {
    let found = std::fs::symlink_metadata(path).ok()?;
    Some((found.ino(), found.len(), found.ctime(), found.ctime_nsec()))
}

fn open(path: &Path) -> Result<AwsCredential, CredentialsProblem> {
    let text = read_private_within(path, LONGEST).map_err(|error| {
        CredentialsProblem(match error {
            PrivateFileError::Absent(_) => "is not there",
            PrivateFileError::ForeignOwner(_) => "is another user's",
            PrivateFileError::Open { .. } => "may be read by others: `chmod 600` closes it",
            PrivateFileError::NotRegular(_) => "is no file",
            PrivateFileError::TooLong { .. } => "is too long",
            PrivateFileError::WrongSize { .. }
            | PrivateFileError::Exists(_)
            | PrivateFileError::Io { .. }
            | _ => "cannot be read",
        })
    })?;
    let text = std::str::from_utf8(&text).map_err(|_bytes| CredentialsProblem("is no text"))?;
    parse(text)
}

/// A file of one profile: `aws_access_key_id = …`, and so on.
fn parse(text: &str) -> Result<AwsCredential, CredentialsProblem> {
    let (mut sections, mut id, mut secret, mut token) = (0_u32, None, None, None);
    for line in text.lines().map(str::trim) {
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if line.starts_with('[') {
            sections = sections.saturating_add(1);
            continue;
        }
        let (name, value) = line
            .split_once('=')
            .ok_or(CredentialsProblem("has a line that is no setting"))?;
        let value = value.trim();
        let place = match name.trim() {
            "aws_access_key_id" => &mut id,
            "aws_secret_access_key" => &mut secret,
            "aws_session_token" => &mut token,
            _ => continue,
        };
        if value.is_empty() || !value.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(CredentialsProblem("has a value that is no key"));
        }
        *place = Some(value.to_owned());
    }
    if sections > 1 {
        return Err(CredentialsProblem(
            "has several profiles: leave the one for the bucket",
        ));
    }
    match (id, secret) {
        (Some(key_id), Some(secret_key)) => Ok(AwsCredential {
            key_id,
            secret_key,
            token,
        }),
        _ => Err(CredentialsProblem(
            "has no `aws_access_key_id` and `aws_secret_access_key`",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = "[default]\naws_access_key_id = ID\naws_secret_access_key=a/b+c=\n# aws_session_token = no\nregion = x\n";

    #[test]
    fn what_aws_s_tools_write_is_read() {
        let read = parse(WHOLE).unwrap();
        assert_eq!(
            (read.key_id.as_str(), read.secret_key.as_str(), read.token),
            ("ID", "a/b+c=", None)
        );
        let read = parse(&WHOLE.replace("# ", "")).unwrap();
        assert_eq!(read.token.as_deref(), Some("no"));
        for text in [
            "",
            "aws_access_key_id = ID",
            "nothing",
            "aws_access_key_id =",
            "aws_access_key_id = I D\naws_secret_access_key = x",
            &format!("{WHOLE}[other]\naws_access_key_id = ID2"),
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_file_is_read_again_when_it_changes_and_never_when_others_may_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("credentials");
        let file = FileCredentials::new(path.clone());
        assert_eq!(file.now().unwrap_err(), CredentialsProblem("is not there"));
        moho_os::create_private(&path, WHOLE.as_bytes()).unwrap();
        let first = file.now().unwrap();
        assert!(Arc::ptr_eq(&first, &file.now().unwrap()), "it is at hand");
        moho_os::replace_private(&path, WHOLE.replace("ID", "OTHER").as_bytes()).unwrap();
        assert_eq!(file.now().unwrap().key_id, "OTHER");
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o644);
        std::fs::set_permissions(&path, open).unwrap();
        assert!(file.now().unwrap_err().0.contains("chmod 600"));
        assert!(!format!("{file:?}").contains("OTHER"), "{file:?}");
    }
}
