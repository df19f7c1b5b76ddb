//! A trail's chain of digests: as it was delivered, stopped and begun again, and with any byte changed.

mod wrong;

use std::collections::BTreeMap;

use moho_terms::Secret;
use proptest::prelude::*;

use super::*;
use crate::cloudtrail::keys::{KeyScope, LogFileKey, UniquePart};
use crate::cloudtrail::record::tests::call;

const BUCKET: &str = "trail-bucket";
/// 2026-01-01T00:00:00Z.
const BEGIN: u64 = 1_767_225_600;
const HOUR: u64 = 3600;

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_unix_seconds(BEGIN + seconds)
}

fn signer() -> LocalDigestKey {
    let key = include_bytes!("../../../../testdata/cloudtrail/digest_key.pk8");
    LocalDigestKey::from_pkcs8(&Secret::new(key.to_vec())).unwrap()
}

fn keys() -> PublicKeys {
    let mut keys = PublicKeys::default();
    keys.believe(signer().public_key().to_vec());
    keys
}

fn scope() -> KeyScope {
    KeyScope {
        prefix: None,
        organization: None,
        account: "123456789012".parse().unwrap(),
        region: "us-east-2".parse().unwrap(),
    }
}

fn log_key(seconds: u64, seed: &str) -> String {
    let unique = UniquePart::of(seed.as_bytes());
    LogFileKey {
        scope: scope(),
        time: at(seconds),
        unique,
        backfill: false,
    }
    .to_string()
}

fn digest_key(end: u64) -> DigestKey {
    DigestKey {
        scope: scope(),
        trail: "my-trail".parse().unwrap(),
        home_region: "us-east-2".parse().unwrap(),
        end: at(end),
        backfill: false,
    }
}

fn log_file(seconds: u64) -> LogFile {
    let mut record = call();
    record.event_time = at(seconds);
    LogFile::of(&[record.into_text().unwrap()]).unwrap()
}

/// A bucket, and the digests in it from the oldest to the newest.
#[derive(Clone, Default)]
struct World {
    digests: BTreeMap<String, StoredDigest>,
    logs: BTreeMap<String, Vec<u8>>,
    chain: Vec<PreviousDigest>,
}

impl World {
    /// `hours` digests, each of two log files but for the second, which is of none.
    fn of(hours: u64) -> Self {
        let mut world = Self::default();
        for hour in 0..hours {
            let previous = world.chain.last().cloned();
            let minutes: &[u64] = if hour == 1 { &[] } else { &[10, 40] };
            world.deliver(hour, minutes, previous);
        }
        world
    }

    fn deliver(&mut self, hour: u64, minutes: &[u64], previous: Option<PreviousDigest>) {
        let logs = minutes.iter().map(|minute| {
            let seconds = hour * HOUR + minute * 60;
            let (key, file) = (log_key(seconds, "delivered"), log_file(seconds));
            self.logs.insert(key.clone(), file.body().to_vec());
            DigestedLog::of(Place::new(BUCKET, key), &file)
        });
        let logs = logs.collect();
        let digest = Digest::of(
            &digest_key((hour + 1) * HOUR),
            BUCKET,
            at(hour * HOUR),
            logs,
            previous,
        );
        self.keep(digest.sign(&signer()).unwrap());
    }

    fn keep(&mut self, signed: SignedDigest) {
        let metadata: BTreeMap<_, _> = signed.metadata(None).into_iter().collect();
        let stored = StoredDigest {
            body: signed.body,
            signature: metadata.get("signature").cloned(),
            algorithm: metadata.get("signature-algorithm").cloned(),
        };
        self.digests.insert(signed.as_previous.place.key.clone(), stored);
        self.chain.push(signed.as_previous);
    }

    fn verify(&mut self) -> Report {
        verify_from(self, 0)
    }

    /// What is wrong, by key.
    fn findings(&mut self) -> Vec<(String, Found)> {
        self.verify()
            .findings
            .into_iter()
            .map(|finding| (finding.place.key, finding.found))
            .collect()
    }

    fn digest_at(&self, index: usize) -> String {
        self.chain[index].place.key.clone()
    }

    fn stored(&mut self, index: usize) -> &mut StoredDigest {
        let key = self.digest_at(index);
        self.digests.get_mut(&key).unwrap()
    }
}

fn verify_from(world: &mut World, from: u64) -> Report {
    let newest = world.chain.last().unwrap().place.clone();
    let listing = Listing {
        digests: world.digests.keys().cloned().collect(),
        log_files: world.logs.keys().cloned().collect(),
    };
    verify(&newest, at(from), &listing, &keys(), world).unwrap()
}

impl Delivered for World {
    fn digest(&mut self, place: &Place) -> Result<Option<StoredDigest>, Unreadable> {
        Ok(self
            .digests
            .get(&place.key)
            .filter(|_| place.bucket == BUCKET)
            .cloned())
    }

    fn log_file(&mut self, place: &Place) -> Result<Option<Vec<u8>>, Unreadable> {
        Ok(self
            .logs
            .get(&place.key)
            .filter(|_| place.bucket == BUCKET)
            .cloned())
    }
}

/// The file was made by this code and then accepted by `aws cloudtrail validate-logs` of awscli 1.46.3, with its log files.
#[test]
fn digests_are_what_the_aws_cli_accepted() {
    let mut world = World::of(3);
    let mut written = String::new();
    for previous in world.chain.clone() {
        let stored = world.digests.remove(&previous.place.key).unwrap();
        let plain = String::from_utf8(gzip::unpack(&stored.body, MAX_DIGEST).unwrap()).unwrap();
        let signature = stored.signature.unwrap();
        for line in [&previous.place.key, &signature, &plain] {
            written.push_str(line);
            written.push('\n');
        }
    }
    assert_eq!(
        written,
        include_str!("../../../../testdata/cloudtrail/digests.txt")
    );
}

#[test]
fn a_chain_as_it_was_delivered_is_valid() {
    let report = World::of(4).verify();
    assert_eq!(
        report,
        Report {
            digests: 4,
            log_files: 6,
            ..Report::default()
        }
    );
}

#[test]
fn a_trail_that_was_stopped_has_a_gap_and_nothing_wrong() {
    let mut world = World::of(2);
    world.deliver(5, &[10], None);
    world.deliver(6, &[10], world.chain.last().cloned());
    // Nobody answers for this one.
    world.logs.insert(log_key(3 * HOUR, "x"), Vec::new());
    let report = world.verify();
    assert_eq!(
        (report.digests, report.log_files, report.findings.len()),
        (4, 4, 0)
    );
    assert_eq!(report.gaps, [(at(2 * HOUR), at(5 * HOUR))]);
}

#[test]
fn late_files_have_a_chain_of_their_own() {
    let mut world = World::of(3);
    let late = |key: String| key.replace(".json.gz", "_backfill.json.gz");
    let (file, place) = (log_file(60), Place::new(BUCKET, late(log_key(60, "late"))));
    let key = DigestKey {
        backfill: true,
        ..digest_key(2 * HOUR)
    };
    let digest = Digest::of(
        &key,
        BUCKET,
        at(0),
        vec![DigestedLog::of(place.clone(), &file)],
        None,
    );
    let chain = world.chain.clone();
    world.keep(digest.sign(&signer()).unwrap());
    world.logs.insert(place.key, file.body().to_vec());
    assert_eq!(
        world.verify(),
        Report {
            digests: 1,
            log_files: 1,
            ..Report::default()
        }
    );
    let inserted = late(log_key(120, "x"));
    world.logs.insert(inserted.clone(), Vec::new());
    assert_eq!(world.findings(), [(inserted, Found::Inserted)]);
    world.chain = chain;
    assert_eq!(
        world.verify(),
        Report {
            digests: 3,
            log_files: 4,
            ..Report::default()
        }
    );
}

#[test]
fn what_is_before_the_wanted_time_is_not_looked_at() {
    let mut world = World::of(4);
    world.stored(0).body.clear();
    world.logs.remove(&log_key(10 * 60, "delivered"));
    let report = verify_from(&mut world, 2 * HOUR);
    assert_eq!(
        report,
        Report {
            digests: 2,
            log_files: 4,
            ..Report::default()
        }
    );
    // Also if there is something wrong: of what is before it, nothing is said.
    let newest = world.digest_at(3);
    world.digests.remove(&newest);
    let found: Vec<String> = verify_from(&mut world, 2 * HOUR)
        .findings
        .into_iter()
        .map(|f| f.place.key)
        .collect();
    assert_eq!(
        found,
        [
            newest,
            log_key(3 * HOUR + 2400, "delivered"),
            log_key(3 * HOUR + 600, "delivered")
        ]
    );
}

#[test]
fn a_chain_that_does_not_go_back_is_not_followed_forever() {
    let mut world = World::default();
    world.deliver(2, &[], None);
    world.deliver(2, &[], world.chain.last().cloned());
    assert_eq!(
        world.findings(),
        [(world.digest_at(1), Found::Altered(Altered::Moved))]
    );
    let nowhere = Place::new(BUCKET, "no digest");
    let report = verify(&nowhere, at(0), &Listing::default(), &keys(), &mut world).unwrap();
    assert_eq!(
        report.findings,
        [Finding {
            place: nowhere,
            found: Found::Altered(Altered::Moved)
        }]
    );
}

#[test]
fn what_cannot_be_read_is_no_verdict() {
    struct Broken;
    impl Delivered for Broken {
        fn digest(&mut self, _: &Place) -> Result<Option<StoredDigest>, Unreadable> {
            Err(Unreadable::new("no disk"))
        }
        fn log_file(&mut self, _: &Place) -> Result<Option<Vec<u8>>, Unreadable> {
            Err(Unreadable::new("no disk"))
        }
    }
    let newest = Place::new(BUCKET, digest_key(HOUR).to_string());
    assert!(verify(&newest, at(0), &Listing::default(), &keys(), &mut Broken).is_err());
}

#[test]
fn a_digest_that_is_delivered_elsewhere_is_valid_there() {
    let mut world = World::of(2);
    let place = Place::new("elsewhere", world.digest_at(1));
    let Some(StoredDigest { body, .. }) = world.digests.remove(&world.digest_at(1)) else {
        panic!("no digest")
    };
    let digest = Digest::unpack(&body).unwrap();
    assert!(Digest::unpack(b"no digest").is_err());
    let moved = digest.moved(place.clone());
    for (moved, follows) in [(moved.clone(), true), (moved.without_previous(), false)] {
        let signed = moved.sign(&signer()).unwrap();
        assert_eq!(signed.as_previous.place, place);
        let read = Digest::unpack(&signed.body).unwrap();
        assert_eq!(read.previous().is_some(), follows);
        assert_eq!(read.log_files, Digest::unpack(&body).unwrap().log_files);
        let line = read.string_to_sign(signed.as_previous.hash);
        let believed = keys().check(
            &read.digest_public_key_fingerprint,
            line.as_bytes(),
            &signed.as_previous.signature,
        );
        assert_eq!(believed, Some(true));
    }
}

#[test]
fn digests_are_signed_only_with_a_period_and_by_a_key() {
    let digest = Digest::of(&digest_key(HOUR), BUCKET, at(HOUR), Vec::new(), None);
    assert!(matches!(digest.sign(&signer()), Err(DigestError::Period)));
    assert!(LocalDigestKey::from_pkcs8(&Secret::new(b"no key".to_vec())).is_err());
    let late = Digest::of(&digest_key(HOUR), BUCKET, at(0), Vec::new(), None)
        .sign(&signer())
        .unwrap();
    let [.., (name, time)] = &late.metadata(Some(at(7)))[..] else {
        panic!("no metadata")
    };
    assert_eq!(
        (*name, time.as_str()),
        ("backfill-generation-timestamp", "2026-01-01T00:00:07Z")
    );
}

proptest! {
    #[test]
    fn any_changed_byte_is_found_or_changes_nothing(which in 0_usize..7, at_byte: usize, flip in 1_u8..) {
        let mut world = World::of(3);
        let sound = world.verify();
        let mut bodies: Vec<&mut Vec<u8>> = world.digests.values_mut().map(|digest| &mut digest.body).collect();
        bodies.extend(world.logs.values_mut());
        let body = &mut bodies[which];
        let before = gzip::unpack(body, MAX_DIGEST).unwrap();
        let at_byte = at_byte % body.len();
        body[at_byte] ^= flip;
        let same = gzip::unpack(body, MAX_DIGEST) == Ok(before);
        let report = world.verify();
        prop_assert_eq!(report == sound, same);
        prop_assert_eq!(report.findings.is_empty(), same);
    }

    #[test]
    fn any_bytes_are_a_digest_or_refused(bytes: Vec<u8>, text in "\\{(\"[a-zA-Z0-9]{1,20}\":[a1\"{}\\[\\]]{0,5},?){0,8}\\}") {
        let _either = Digest::parse(&bytes);
        let _either = Digest::parse(text.as_bytes());
    }
}
