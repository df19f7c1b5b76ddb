//! Every file of a chain altered, removed and put in between.

use super::*;

fn altered_json(body: &[u8], from: &str, to: &str) -> Vec<u8> {
    let plain = String::from_utf8(gzip::unpack(body, MAX_DIGEST).unwrap()).unwrap();
    assert!(plain.contains(from), "{from}");
    gzip::pack(plain.replace(from, to).as_bytes()).unwrap()
}

#[test]
fn an_altered_log_file_is_found() {
    let mut world = World::of(3);
    let key = log_key(10 * 60, "delivered");
    let sound = world.logs[&key].clone();
    for (body, how) in [
        (altered_json(&sound, "GetObject", "PutObject"), Altered::Hash),
        ([&sound[..], b"{}"].concat(), Altered::Packing),
        (sound[..sound.len() - 1].to_vec(), Altered::Packing),
        (Vec::new(), Altered::Packing),
    ] {
        world.logs.insert(key.clone(), body);
        assert_eq!(world.findings(), [(key.clone(), Found::Altered(how))]);
    }
    // Packed otherwise, it says the same.
    let plain = gzip::unpack(&sound, MAX_DIGEST).unwrap();
    let mut other = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
    std::io::Write::write_all(&mut other, &plain).unwrap();
    world.logs.insert(key, other.finish().unwrap());
    assert_eq!(world.findings(), []);
}

#[test]
fn a_removed_log_file_and_one_put_in_between_are_found() {
    let mut world = World::of(3);
    let key = log_key(2 * HOUR + 40 * 60, "delivered");
    world.logs.remove(&key);
    assert_eq!(world.findings(), [(key, Found::Removed)]);

    let mut world = World::of(3);
    let inserted = [
        log_key(20 * 60, "x"),
        log_key(HOUR + 20 * 60, "x"),
        log_key(3 * HOUR - 60, "x"),
    ];
    let pending = [log_key(3 * HOUR, "x"), log_key(4 * HOUR, "x")];
    for key in inserted.iter().chain(&pending) {
        world.logs.insert(key.clone(), log_file(0).body().to_vec());
    }
    let found: Vec<_> = inserted
        .into_iter()
        .rev()
        .map(|key| (key, Found::Inserted))
        .collect();
    assert_eq!(world.findings(), found);
}

#[test]
fn an_altered_digest_is_found_and_its_log_files_are_not_proven() {
    for (index, how) in [(3, Altered::Signature), (2, Altered::Hash), (0, Altered::Hash)] {
        let mut world = World::of(4);
        let stored = world.stored(index);
        stored.body = altered_json(&stored.body, "my-trail_us-east-2_2026", "my-trail_us-east-2_2026");
        assert_eq!(world.findings(), []);
        let stored = world.stored(index);
        stored.body = altered_json(&stored.body, ":10:00Z\"", ":11:00Z\"");
        let hour = u64::try_from(index).unwrap() * HOUR;
        let unproven = [40, 10].map(|minute| (log_key(hour + minute * 60, "delivered"), Found::Unproven));
        let digest = (world.digest_at(index), Found::Altered(how));
        assert_eq!(world.findings(), [&[digest][..], &unproven].concat(), "{index}");
    }
}

#[test]
fn a_digest_is_altered_in_many_ways() {
    let mut world = World::of(2);
    let newest = world.digest_at(1);
    let sound = world.stored(1).clone();
    type Change = fn(&mut StoredDigest);
    let changes: [(Altered, Change); 12] = [
        (Altered::Packing, |d| d.body.push(0)),
        (Altered::Packing, |d| d.body.clear()),
        (Altered::Form, |d| d.body = gzip::pack(b"{}").unwrap()),
        (Altered::Form, |d| {
            d.body = altered_json(&d.body, "SHA256withRSA", "none")
        }),
        (Altered::Form, |d| {
            d.body = altered_json(
                &d.body,
                "\"digestEndTime\":\"2026-01-01T02:00:00Z\"",
                "\"digestEndTime\":\"2026-01-01T02:00:01Z\"",
            )
        }),
        (Altered::Form, |d| {
            d.body = altered_json(
                &d.body,
                "\"digestStartTime\":\"2026-01-01T01:00:00Z\"",
                "\"digestStartTime\":\"2026-01-01T02:00:00Z\"",
            )
        }),
        (Altered::Moved, |d| {
            d.body = altered_json(
                &d.body,
                "\"digestS3Bucket\":\"trail-bucket\"",
                "\"digestS3Bucket\":\"other-bucket\"",
            )
        }),
        (Altered::Signature, |d| d.signature = None),
        (Altered::Signature, |d| d.signature = Some("00".to_owned())),
        (Altered::Signature, |d| d.signature = Some("no digits".to_owned())),
        (Altered::Signature, |d| d.algorithm = None),
        (Altered::UnknownKey, |d| {
            let known = fingerprint(signer().public_key());
            d.body = altered_json(&d.body, &known, &known.replace(|c: char| c.is_ascii_digit(), "a"));
        }),
    ];
    for (how, change) in changes {
        let mut stored = sound.clone();
        change(&mut stored);
        *world.stored(1) = stored;
        assert_eq!(world.findings(), [(newest.clone(), Found::Altered(how))]);
    }
    *world.stored(1) = sound;
    // The older one is named with its signature: another one does not do, however it came about.
    world.stored(0).signature = world.stored(1).signature.clone();
    assert_eq!(
        world.findings()[0],
        (world.digest_at(0), Found::Altered(Altered::Signature))
    );
}

#[test]
fn a_digest_has_the_signature_that_was_named() {
    let mut world = World::default();
    world.deliver(0, &[], None);
    let mut wrong = world.chain.last().cloned().unwrap();
    wrong.signature = "00".repeat(256);
    world.deliver(1, &[], Some(wrong));
    let report = verify_from(&mut world, 0);
    let finding = Finding {
        place: world.chain[0].place.clone(),
        found: Found::Altered(Altered::Signature),
    };
    assert_eq!((report.digests, report.findings), (1, vec![finding]));
}

#[test]
fn log_files_have_hashes_of_the_only_algorithm() {
    let mut world = World::default();
    let file = log_file(600);
    let mut log = DigestedLog::of(Place::new(BUCKET, log_key(600, "delivered")), &file);
    log.hash_algorithm = "MD5".to_owned();
    let digest = Digest::of(&digest_key(HOUR), BUCKET, at(0), vec![log], None);
    world.keep(digest.sign(&signer()).unwrap());
    assert_eq!(
        world.findings(),
        [(world.digest_at(0), Found::Altered(Altered::Form))]
    );
}

#[test]
fn a_digest_signed_anew_is_not_the_one_that_was_named() {
    let mut world = World::of(3);
    let sound = world.clone();
    world.chain.truncate(1);
    let first = world.chain.clone().pop();
    world.deliver(1, &[20], first);
    world.chain = sound.chain;
    let key = world.digest_at(1);
    assert_eq!(world.findings()[0], (key, Found::Altered(Altered::Hash)));
}

#[test]
fn a_removed_digest_is_found_and_the_older_ones_are_checked() {
    for index in [3, 2] {
        let mut world = World::of(4);
        let key = world.digest_at(index);
        world.digests.remove(&key);
        // No digest can be expected to name this one yet.
        world.logs.insert(log_key(4 * HOUR, "x"), Vec::new());
        let hour = u64::try_from(index).unwrap() * HOUR;
        let unproven = [40, 10].map(|minute| (log_key(hour + minute * 60, "delivered"), Found::Unproven));
        let report = world.verify();
        assert_eq!((report.digests, report.log_files), (3, 4));
        assert_eq!(
            world.findings(),
            [&[(key, Found::Removed)][..], &unproven].concat()
        );
    }
    let mut world = World::of(4);
    world.digests.clear();
    world.logs.clear();
    assert_eq!(world.findings(), [(world.digest_at(3), Found::Removed)]);
}

#[test]
fn a_digest_put_in_between_is_found() {
    let mut world = World::of(3);
    for end in [2 * HOUR - 60, 2 * HOUR, 3 * HOUR, 3 * HOUR + 1] {
        let mut key = digest_key(end);
        key.trail = "other-trail".parse().unwrap();
        let digest = Digest::of(&key, BUCKET, at(0), Vec::new(), None)
            .sign(&signer())
            .unwrap();
        let chain = world.chain.clone();
        world.keep(digest);
        world.chain = chain;
    }
    let other = |end| digest_key(end).to_string().replace("my-trail", "other-trail");
    let found = [3 * HOUR, 2 * HOUR, 2 * HOUR - 60].map(|end| (other(end), Found::Inserted));
    assert_eq!(world.findings(), found, "what ends later is not judged");
}
