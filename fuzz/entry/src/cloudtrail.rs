//! What trails deliver and are asked for: read and written it is the same, and nobody without the key signs a digest.

use moho_audit::cloudtrail::digest::{
    Delivered, Digest, Listing, PublicKeys, StoredDigest, Unreadable, verify,
};
use moho_audit::cloudtrail::names::{KeyPrefix, OrganizationId, TrailRef};
use moho_audit::cloudtrail::record::{Record, RecordText};
use moho_audit::cloudtrail::selectors::{Selectors, ShownSelectors};
use moho_audit::cloudtrail::{DigestKey, LogFileKey, Place, log_file};
use moho_audit::hostile_input::packed;
use moho_terms::Timestamp;

/// Where the only digest is.
const DIGEST: &str = "AWSLogs/123456789012/CloudTrail-Digest/us-east-2/2026/01/01/123456789012_CloudTrail-Digest_us-east-2_my-trail_us-east-2_20260101T010000Z.json.gz";

/// The bytes as a record, a log file, a digest, event selectors, and each line as a name or a key.
pub fn cloudtrail(data: &[u8]) {
    if let Some(text) = Record::parse(data).ok().and_then(written) {
        let again = Record::parse(text.as_str().as_bytes()).ok().and_then(written);
        assert_eq!(again.as_ref(), Some(&text), "a record is read as it was written");
        assert!(!text.as_str().contains('\n'), "a record is one line");
    }
    for body in [data, &packed(data)] {
        if let Ok(records) = log_file::read(body) {
            let texts: Vec<RecordText> = records.into_iter().filter_map(written).collect();
            let file = log_file::LogFile::of(&texts);
            assert_eq!(file.is_ok(), !texts.is_empty(), "what was read can be written");
        }
        nobody_signs(body);
    }
    if let Ok(digest) = Digest::parse(data) {
        let again = serde_json::to_vec(&digest).map(|plain| Digest::parse(&plain));
        assert!(
            matches!(again, Ok(Ok(again)) if again == digest),
            "a digest is read as it was written"
        );
    }
    if let Ok(selectors) = Selectors::parse(data) {
        let shown =
            serde_json::to_vec(&ShownSelectors::from(&selectors)).map(|shown| Selectors::parse(&shown));
        assert!(
            matches!(shown, Ok(Ok(again)) if again == selectors),
            "selectors are read as they are shown"
        );
    }
    super::text(data).lines().take(64).for_each(names);
}

/// Whether the bytes are any of these, so that a corpus can be seen to be good for something.
#[must_use]
pub fn is_of_cloudtrail(data: &[u8]) -> bool {
    Record::parse(data).is_ok()
        || Digest::parse(data).is_ok()
        || Selectors::parse(data).is_ok()
        || log_file::read(&packed(data)).is_ok()
}

fn written(record: Record) -> Option<RecordText> {
    let text = record.into_text();
    assert!(text.is_ok(), "what was read is short enough to be written");
    text.ok()
}

fn names(line: &str) {
    match line.parse::<TrailRef>() {
        Ok(TrailRef::Name(name)) => assert_eq!(name.as_str(), line),
        Ok(TrailRef::Arn(arn)) => assert_eq!(arn.to_string(), line),
        Err(_) => {}
    }
    if let Ok(Some(prefix)) = KeyPrefix::parse(line) {
        assert_eq!(prefix.as_str(), line);
    }
    if let Ok(id) = line.parse::<OrganizationId>() {
        assert_eq!(id.to_string(), line);
    }
    let both = LogFileKey::time_of(line).is_some() && DigestKey::end_of(line).is_some();
    assert!(!both, "a key is of one kind of file");
}

/// The bytes as the only digest, and as every log file.
fn nobody_signs(body: &[u8]) {
    struct One<'a>(&'a [u8]);
    impl Delivered for One<'_> {
        fn digest(&mut self, _: &Place) -> Result<Option<StoredDigest>, Unreadable> {
            let (signature, algorithm) = (Some("00".repeat(256)), Some("SHA256withRSA".to_owned()));
            Ok(Some(StoredDigest {
                body: self.0.to_vec(),
                signature,
                algorithm,
            }))
        }
        fn log_file(&mut self, _: &Place) -> Result<Option<Vec<u8>>, Unreadable> {
            Ok(Some(self.0.to_vec()))
        }
    }
    let newest = Place::new("trail-bucket", DIGEST);
    let listing = Listing {
        digests: vec![DIGEST.to_owned()],
        log_files: Vec::new(),
    };
    let from = Timestamp::from_unix_seconds(0);
    let report = verify(&newest, from, &listing, &PublicKeys::default(), &mut One(body));
    assert!(
        report.is_ok_and(|report| report.digests == 0 && report.findings.len() == 1),
        "nobody has the key"
    );
}
