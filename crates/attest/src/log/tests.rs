//! The log against the specification's own definitions, which are recursive and slow.

use std::convert::Infallible;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use proptest::prelude::*;

use super::*;

/// RFC 9162, 2.1.1.
fn hash_of(entries: &[Vec<u8>]) -> TreeHash {
    match entries {
        [] => TreeHash::of_nothing(),
        [entry] => TreeHash::of_entry(entry),
        _ => {
            let (left, right) = entries.split_at(half(entries.len()));
            TreeHash::of_both(&hash_of(left), &hash_of(right))
        }
    }
}

fn half(length: usize) -> usize {
    length.next_power_of_two() / 2
}

/// RFC 9162, 2.1.3.1.
fn path_of(index: usize, entries: &[Vec<u8>]) -> Vec<TreeHash> {
    if entries.len() == 1 {
        return Vec::new();
    }
    let (left, right) = entries.split_at(half(entries.len()));
    let (mut path, other) = match index.checked_sub(left.len()) {
        None => (path_of(index, left), right),
        Some(index) => (path_of(index, right), left),
    };
    path.push(hash_of(other));
    path
}

/// RFC 9162, 2.1.4.1: PROOF and SUBPROOF.
fn consistency_of(old: usize, entries: &[Vec<u8>], known: bool) -> Vec<TreeHash> {
    if old == entries.len() {
        return if known { Vec::new() } else { vec![hash_of(entries)] };
    }
    let (left, right) = entries.split_at(half(entries.len()));
    let (mut path, other) = match old.checked_sub(left.len()) {
        None | Some(0) => (consistency_of(old, left, known), right),
        Some(old) => (consistency_of(old, right, false), left),
    };
    path.push(hash_of(other));
    path
}

fn place(number: u64) -> usize {
    usize::try_from(number).unwrap()
}

fn entries(count: usize) -> Vec<Vec<u8>> {
    (0..count).map(|number| number.to_be_bytes().to_vec()).collect()
}

/// Hashes as tiles have them: only levels 0, 8, 16 and so on.
#[derive(Default)]
struct Tiles(Vec<Vec<TreeHash>>);

impl Tiles {
    fn of(entries: &[Vec<u8>]) -> (Self, Frontier) {
        let mut tiles = Self::default();
        let mut frontier = Frontier::default();
        for entry in entries {
            frontier.push(TreeHash::of_entry(entry), |part, hash| {
                let (level, first, count) = hashes_of(part);
                let level = usize::from(level);
                if count == 1 {
                    tiles.0.resize(tiles.0.len().max(level + 1), Vec::new());
                    assert_eq!(tiles.0[level].len() as u64, first);
                    tiles.0[level].push(hash);
                }
            });
        }
        (tiles, frontier)
    }
}

impl Hashes for &Tiles {
    type Error = Infallible;

    fn subtree(&self, part: Subtree) -> Result<TreeHash, Infallible> {
        let (level, first, count) = hashes_of(part);
        let first = usize::try_from(first).unwrap();
        let hashes = &self.0[usize::from(level)][first..first + usize::from(count)];
        Ok(fold(hashes).unwrap())
    }
}

#[test]
fn roots_and_proofs_are_those_of_the_specification() {
    let all = entries(70);
    let (tiles, _) = Tiles::of(&all);
    let tree = Tree::new(&tiles);
    for size in 0..=all.len() {
        let (now, number) = (&all[..size], size as u64);
        let root = hash_of(now);
        assert_eq!(tree.root(number), Ok(root));
        assert_eq!(Frontier::of(&tree, number).unwrap(), Tiles::of(now).1);
        assert_eq!(Tiles::of(now).1.root(), root);
        for (index, entry) in now.iter().enumerate() {
            let proof = tree.inclusion(index as u64, number).unwrap().unwrap();
            assert_eq!(proof.path, path_of(index, now));
            assert_eq!(proof.check(&TreeHash::of_entry(entry), &root), Ok(()));
        }
        for old in 0..=size {
            let proof = tree.consistency(old as u64, number).unwrap().unwrap();
            if old > 0 {
                assert_eq!(proof.path, consistency_of(old, now, true));
            }
            assert_eq!(proof.check(&hash_of(&all[..old]), &root), Ok(()));
        }
        assert_eq!(tree.inclusion(number, number), Ok(None));
        assert_eq!(tree.consistency(number + 1, number), Ok(None));
    }
}

#[test]
fn a_proof_is_for_one_entry_one_place_and_one_tree() {
    let all = entries(41);
    let (tiles, _) = Tiles::of(&all);
    let tree = Tree::new(&tiles);
    for (size, index) in [(41, 40), (41, 0), (32, 31), (33, 32), (7, 3), (1, 0)] {
        let root = hash_of(&all[..place(size)]);
        let entry = TreeHash::of_entry(&all[place(index)]);
        let proof = tree.inclusion(index, size).unwrap().unwrap();
        for other in 0..=size {
            let moved = InclusionProof {
                index: other,
                ..proof.clone()
            };
            assert_eq!(moved.check(&entry, &root).is_ok(), other == index);
        }
        for other in 0..50 {
            // Trees of other sizes may ask for the same path: it is the checkpoint that binds size and root.
            let grown = InclusionProof {
                size: other,
                ..proof.clone()
            };
            assert!(
                grown
                    .check(&entry, &hash_of(&entries(50)[..place(other)]))
                    .is_err()
                    || other == size
            );
        }
        assert_eq!(proof.check(&root, &root).is_ok(), size == 1 && entry == root);
        let longer = InclusionProof {
            path: [&proof.path[..], &[root]].concat(),
            ..proof.clone()
        };
        assert_eq!(longer.check(&entry, &root), Err(ProofError::WrongLength));
        if let Some((_, shorter)) = proof.path.split_last() {
            let shorter = InclusionProof {
                path: shorter.to_vec(),
                ..proof.clone()
            };
            assert_eq!(shorter.check(&entry, &root), Err(ProofError::WrongLength));
        }
    }
}

#[test]
fn a_log_that_rewrote_what_it_said_has_no_proof() {
    let honest = entries(60);
    for (old, new) in [(1, 2), (8, 60), (13, 60), (32, 33), (59, 60), (31, 32)] {
        let mut forked = honest.clone();
        forked[old - 1].push(b'!');
        let (tiles, _) = Tiles::of(&forked);
        let tree = Tree::new(&tiles);
        let proof = tree.consistency(old as u64, new as u64).unwrap().unwrap();
        let (before, after) = (hash_of(&honest[..old]), hash_of(&forked[..new]));
        assert!(proof.check(&before, &after).is_err());
        let old_of_forked = hash_of(&forked[..old]);
        assert_eq!(proof.check(&old_of_forked, &after), Ok(()));
        for at in 0..proof.path.len() {
            let mut wrong = proof.clone();
            wrong.path[at] = TreeHash::of_nothing();
            assert!(wrong.check(&old_of_forked, &after).is_err());
        }
        let shrunk = ConsistencyProof {
            old: new as u64,
            new: old as u64,
            path: proof.path,
        };
        assert_eq!(shrunk.check(&after, &old_of_forked), Err(ProofError::Impossible));
    }
    let same = ConsistencyProof {
        old: 3,
        new: 3,
        path: Vec::new(),
    };
    let (three, two) = (hash_of(&honest[..3]), hash_of(&honest[..2]));
    assert_eq!(same.check(&three, &three), Ok(()));
    assert_eq!(same.check(&two, &three), Err(ProofError::OtherOldRoot));
}

#[test]
fn tiles_have_the_paths_of_the_specification() {
    let printed = |held, index, width| Tile::new(held, index, width).unwrap().to_string();
    let entries = Held::Entries;
    assert_eq!(printed(entries, 1_234_067, 256), "tile/entries/x001/x234/067");
    assert_eq!(printed(entries, 0, 17), "tile/entries/000.p/17");
    assert_eq!(
        printed(Held::Hashes { level: 1 }, 1000, 255),
        "tile/1/x001/000.p/255"
    );
    for wrong in [
        "tile/0/0",
        "tile/0/0000",
        "tile/00/000",
        "tile/8/000",
        "tile/+1/000",
        "tile/0/x001/0",
        "tile/0/x000/001",
        "tile/0/001/000",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/0/000.p/+1",
        "tile/entries/xx01/000",
        "tile/0/",
        "tile/data/000",
        "tile/7/001",
        "tile/0/x999/x999/x999/x999/x999/x999/999",
        "/tile/0/000",
        "tile/0/000/",
        "",
    ] {
        assert_eq!(wrong.parse::<Tile>(), Err(TileError), "{wrong}");
    }
}

#[test]
fn a_log_has_the_tiles_that_the_specification_counts() {
    let count = |held: Held, partial: bool| {
        let all: Vec<_> = Tile::all(70_000).filter(|tile| tile.held() == held).collect();
        assert!(all.iter().all(|tile| tile.is_in(70_000)));
        all.iter()
            .filter(|tile| (tile.width() < 256) == partial)
            .map(Tile::width)
            .collect::<Vec<_>>()
    };
    let level = |level| Held::Hashes { level };
    assert_eq!(
        (count(level(0), false).len(), count(level(0), true)),
        (273, vec![112])
    );
    assert_eq!(
        (count(level(1), false).len(), count(level(1), true)),
        (1, vec![17])
    );
    assert_eq!(
        (count(level(2), false).len(), count(level(2), true)),
        (0, vec![1])
    );
    assert_eq!((count(level(3), false).len(), count(level(3), true)), (0, vec![]));
    assert_eq!(
        (count(Held::Entries, false).len(), count(Held::Entries, true)),
        (273, vec![112])
    );
    let beyond = Tile::new(level(2), 0, 2).unwrap();
    assert!(!beyond.is_in(70_000));
    assert_eq!(Tile::all(0).count(), 0);
    assert_eq!(Tile::all(256).count(), 3);
}

struct Key(Ed25519KeyPair, NoteKey);

impl Key {
    fn new(name: &str, kind: SignatureKind, seed: u8) -> Self {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap();
        let public = pair.public_key().as_ref().try_into().unwrap();
        Self(pair, NoteKey::new(name.parse().unwrap(), kind, public))
    }

    fn cosign(&self, time: u64, checkpoint: &Checkpoint) -> String {
        let signature = self
            .sign(cosigned_text(time, &checkpoint.to_string()).as_bytes())
            .unwrap();
        signature_line(&self.1, &[&time.to_be_bytes()[..], &signature].concat())
    }
}

impl NoteSigner for Key {
    fn key(&self) -> &NoteKey {
        &self.1
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; 64], String> {
        Ok(self.0.sign(message).as_ref().try_into().unwrap())
    }
}

fn checkpoint() -> Checkpoint {
    Checkpoint {
        origin: "example.com/log".parse().unwrap(),
        size: 7,
        root: hash_of(&entries(7)),
    }
}

fn trust(log: &Key, witnesses: &[&Key], needed: usize) -> Trust {
    Trust {
        origin: "example.com/log".parse().unwrap(),
        log: vec![log.1.clone()],
        witnesses: witnesses.iter().map(|key| key.1.clone()).collect(),
        needed,
    }
}

fn check(note: &str, trust: &Trust) -> Result<SignedCheckpoint, CheckpointError> {
    UnsignedCheckpoint::read(note.as_bytes())?.check(trust)
}

#[test]
fn a_checkpoint_is_believed_for_its_log_s_key_and_enough_witnesses() {
    let log = Key::new("example.com/log", SignatureKind::Ed25519, 1);
    let [one, two] = [2, 3].map(|seed| {
        Key::new(
            &format!("witness.example/{seed}"),
            SignatureKind::Cosignature,
            seed,
        )
    });
    let signed = checkpoint().sign(&log).unwrap();
    let believed = check(&signed, &trust(&log, &[], 0)).unwrap();
    assert_eq!(believed.checkpoint(), &checkpoint());

    let few = CheckpointError::TooFewWitnesses { found: 1, needed: 2 };
    let cosigned = signed + &one.cosign(1_700_000_000, &checkpoint());
    assert_eq!(check(&cosigned, &trust(&log, &[&one, &two], 2)), Err(few.clone()));
    // The same witness twice is one.
    let twice = cosigned.clone() + &one.cosign(1_700_000_001, &checkpoint());
    assert_eq!(check(&twice, &trust(&log, &[&one, &two], 2)), Err(few));
    let both = cosigned + &two.cosign(1_700_000_002, &checkpoint());
    let believed = check(&both, &trust(&log, &[&one, &two], 2)).unwrap();
    let times: Vec<_> = believed.cosignatures().iter().map(Cosignature::time).collect();
    assert_eq!(times, [1_700_000_000, 1_700_000_002]);
    // Whoever knows no witness passes them over.
    assert!(
        check(&both, &trust(&log, &[], 0))
            .unwrap()
            .cosignatures()
            .is_empty()
    );
}

#[test]
fn what_is_altered_foreign_or_unsigned_is_refused() {
    let log = Key::new("example.com/log", SignatureKind::Ed25519, 1);
    let namesake = Key::new("example.com/log", SignatureKind::Ed25519, 9);
    let witness = Key::new("witness.example/2", SignatureKind::Cosignature, 2);
    let trusted = trust(&log, &[&witness], 0);
    let signed = checkpoint().sign(&log).unwrap();
    let wrong = Err(CheckpointError::Note(NoteError::WrongSignature));
    assert_eq!(check(&signed.replacen("\n7\n", "\n8\n", 1), &trusted), wrong);
    let by_another = checkpoint().sign(&namesake).unwrap();
    assert_eq!(
        check(&by_another, &trusted),
        Err(CheckpointError::Note(NoteError::Unsigned))
    );
    let other = Checkpoint {
        origin: "example.com/other".parse().unwrap(),
        ..checkpoint()
    };
    let of_other = other.sign(&log).unwrap();
    assert_eq!(
        check(&of_other, &trusted),
        Err(CheckpointError::OtherLog("example.com/other".to_owned()))
    );
    // A cosignature of another time, or of another checkpoint.
    let larger = Checkpoint {
        size: 8,
        ..checkpoint()
    };
    assert_eq!(
        check(&(signed.clone() + &witness.cosign(1, &larger)), &trusted),
        wrong
    );
    // A plain signature in a witness's name is none: its id says that it is of another kind.
    let plain = witness.sign(checkpoint().to_string().as_bytes()).unwrap();
    assert_eq!(
        check(&(signed.clone() + &signature_line(&witness.1, &plain)), &trusted),
        wrong
    );
    let beyond = witness.cosign(1 << 63, &checkpoint());
    assert_eq!(check(&(signed + &beyond), &trusted), wrong);
}

#[test]
fn what_is_no_note_is_refused() {
    let log = Key::new("example.com/log", SignatureKind::Ed25519, 1);
    let signed = checkpoint().sign(&log).unwrap();
    let malformed = |note: &str| {
        let error = UnsignedCheckpoint::read(note.as_bytes()).err();
        assert!(
            matches!(
                error,
                Some(CheckpointError::Note(NoteError::Malformed) | CheckpointError::Malformed)
            ),
            "{note:?}: {error:?}"
        );
    };
    malformed("");
    malformed("\n\n");
    malformed(signed.trim_end());
    malformed(&signed.replace("\n\n", "\n"));
    malformed(&signed.replace('\n', "\r\n"));
    malformed(&signed.replace("\n7\n", "\n07\n"));
    malformed(&signed.replace("\n7\n", "\n+7\n"));
    malformed(&signed.replace("\n7\n", "\n\n7\n"));
    malformed(&signed.replace("\n7\n", "\n18446744073709551616\n"));
    malformed(&signed.replace("— ", "- "));
    malformed(&signed.replace("log ", "log+ "));
    malformed(&(signed.clone() + "— name AAAAAA==\n"));
    malformed(&(signed.clone() + "— name AAAAAAA\n"));
    let many = signed.clone() + &"— name AAAAAAA=\n".repeat(64);
    assert_eq!(Note::read(many.as_bytes()), Err(NoteError::TooLong));
    let long = "a".repeat(100 << 10) + "\n\n— name AAAAAAA=\n";
    assert_eq!(Note::read(long.as_bytes()), Err(NoteError::TooLong));
    // Sixteen others beside are passed over, and lines behind the third as well.
    let sixteen = signed + &"— name AAAAAAA=\n".repeat(16);
    assert!(check(&sixteen, &trust(&log, &[], 0)).is_ok());
}

#[test]
fn keys_are_written_down_as_others_read_them() {
    // From golang.org/x/mod/sumdb/note's documentation.
    let text = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    let key: NoteKey = text.parse().unwrap();
    assert_eq!(key.to_string(), text);
    let note = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n\
                — PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
    let read = Note::read(note.as_bytes()).unwrap();
    let [line] = &read.signatures[..] else {
        panic!("one signature")
    };
    assert!(line.names(&key) && key.has_signed(read.text.as_bytes(), line.signature()));
    for wrong in [
        "",
        "PeterNeumann",
        "PeterNeumann+c74f20a3",
        "+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumann+C74F20A3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumann+c74f20a3+Ahpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumann+c74f20a3+ARpc2Q==",
    ] {
        assert!(wrong.parse::<NoteKey>().is_err(), "{wrong}");
    }
}

proptest! {
    #[test]
    fn large_trees_prove_what_small_ones_do(sizes in (1_u64..3000, 0_u64..3000), at in any::<prop::sample::Index>()) {
        let (size, grown) = (sizes.0, sizes.0 + sizes.1);
        let all = entries(usize::try_from(grown).unwrap());
        let (tiles, frontier) = Tiles::of(&all);
        let tree = Tree::new(&tiles);
        let index = at.index(usize::try_from(size).unwrap());
        let (old, new) = (tree.root(size).unwrap(), tree.root(grown).unwrap());
        prop_assert_eq!(frontier.root(), new);
        let proof = tree.inclusion(index as u64, size).unwrap().unwrap();
        prop_assert_eq!(proof.check(&TreeHash::of_entry(&all[index]), &old), Ok(()));
        let proof = tree.consistency(size, grown).unwrap().unwrap();
        prop_assert_eq!(proof.check(&old, &new), Ok(()));
        prop_assert!(proof.path.len() <= 26);
    }

    #[test]
    fn tiles_print_as_they_are_read(level in 0_u8..9, index in any::<u64>(), shift in 0_u32..64, width in 1_u16..300) {
        for held in [Held::Entries, Held::Hashes { level }] {
            if let Some(tile) = Tile::new(held, index >> shift, width) {
                prop_assert_eq!(tile.to_string().parse(), Ok(tile));
            }
        }
    }

    #[test]
    fn no_bytes_break_what_reads_them(bytes in proptest::collection::vec(any::<u8>(), 0..300), text in "[ -~\n—x/+]{0,200}") {
        for bytes in [&bytes[..], text.as_bytes()] {
            let _read = UnsignedCheckpoint::read(bytes).map(|read| read.claimed().clone());
            if let Some(entries) = bundle::entries(bytes) {
                let mut again = Vec::new();
                prop_assert!(entries.iter().all(|entry| bundle::write(entry, &mut again)));
                prop_assert_eq!(again, bytes);
            }
        }
        let _key = text.parse::<NoteKey>();
        let _tile = text.parse::<Tile>();
    }

    #[test]
    fn proofs_of_any_shape_are_checked_without_harm(
        numbers in (any::<u64>(), any::<u64>()), path in proptest::collection::vec(any::<[u8; 32]>(), 0..70)
    ) {
        let path: Vec<_> = path.into_iter().map(TreeHash::from).collect();
        let root = TreeHash::of_nothing();
        let (index, size) = numbers;
        let inclusion = InclusionProof { index, size, path: path.clone() };
        prop_assert!(inclusion.check(&root, &root).is_err());
        let consistency = ConsistencyProof { old: index, new: size, path };
        prop_assert!(consistency.check(&root, &TreeHash::of_entry(b"")).is_err());
    }
}
