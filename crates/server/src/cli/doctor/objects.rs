//! The bucket where objects are to rest: whether its server could be checked, and whether there are credentials for it. Nobody is
//! asked for anything.

use super::finding::{Finding, chain};
use crate::bucket_segments::look_at;
use crate::config::ObjectsConfig;

const OBJECTS: &str = "objects";

/// What there is to say of the settings, if they name a bucket.
pub(super) fn check(config: Option<&ObjectsConfig>) -> Option<Finding> {
    let config = config?;
    Some(match look_at(config) {
        Ok(()) => Finding::fine(OBJECTS, format!("objects rest in {}", config.place())),
        Err(error) => Finding::fault(OBJECTS, chain(&error))
            .why("moho cannot start, as it could not reach the objects")
            .cure("correct `objects.credentials_file` and `objects.ca`"),
    })
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::super::tests::config;
    use super::*;

    #[test]
    fn what_would_keep_moho_from_starting_is_a_fault() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("credentials");
        let authority = folder.path().join("ca.pem");
        let settings = config(&[
            ("objects.url", "s3://bucket"),
            ("objects.credentials_file", file.to_str().unwrap()),
            ("objects.ca", authority.to_str().unwrap()),
        ]);
        let of = || check(settings.objects.as_ref()).map(|finding| finding.level);
        assert_eq!(check(None).map(|finding| finding.level), None);
        assert_eq!(of(), Some(Level::Fault));
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        std::fs::write(&authority, made.cert.pem()).unwrap();
        assert_eq!(of(), Some(Level::Fault));
        let text = b"aws_access_key_id = ID\naws_secret_access_key = secret\n";
        moho_os::create_private(&file, text).unwrap();
        assert_eq!(of(), Some(Level::Fine));
    }
}
