//! Test vectors of what moho seals, as docs/sealing.md describes it, for whoever writes another implementation: made here
//! with randomness that counts up, and compared with the committed file, which `tests/clients/sealing_reference.py`
//! opens.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use moho_os::create_private;
use moho_terms::{ContentBytes, Entropy, KeyId, Timestamp};
use serde::Serialize;

use crate::asymmetric::tests::Counting;
use crate::context::EncryptionContext;
use crate::crypto::derive;
use crate::kept::KeptKey;
use crate::material::{Part, wrap};
use crate::record::{KeyRecord, KeyState, Material, MaterialId, MaterialState, encode};
use crate::root::RootKey;
use crate::seal::{v1, v2};
use crate::spec::{KeySpec, KeyUsage, Origin};
use crate::unlocked::{Remembered, Unlocked};
use crate::{blob, default_key_policy};

/// The committed file.
const FILE: &str = include_str!("../testdata/vectors.json");

const ROOT: [u8; 32] = *b"a root key that nobody ever uses";
const KEY: &str = "3f0c9d1e-5a77-4b1c-8e42-6d9b70a1c2f3";
const MATERIALS: [[u8; 32]; 2] = [
    *b"the material of before rotation!",
    *b"the material which encrypts now.",
];

#[derive(Serialize)]
struct Vectors {
    about: &'static str,
    root: String,
    materials: Vec<MaterialVector>,
    record: RecordVector,
    blobs: Vec<BlobVector>,
    objects: Vec<ObjectVector>,
    long_objects: Vec<LongObjectVector>,
    objects_2: Vec<ObjectVector>,
}

#[derive(Serialize)]
struct MaterialVector {
    id: String,
    material: String,
}

#[derive(Serialize)]
struct RecordVector {
    key_id: &'static str,
    record: String,
}

type Pairs = BTreeMap<&'static str, &'static str>;

#[derive(Serialize)]
struct BlobVector {
    name: &'static str,
    material: usize,
    context: Pairs,
    plaintext: String,
    blob: String,
}

#[derive(Serialize)]
struct ObjectVector {
    name: &'static str,
    material: usize,
    context: Pairs,
    plaintext: String,
    sealed: String,
}

/// Too long to be written down: the head, and the hash of all of it. Byte `i` of the plaintext is `i % 251`.
#[derive(Serialize)]
struct LongObjectVector {
    name: &'static str,
    material: usize,
    context: Pairs,
    plaintext_length: usize,
    head: String,
    sealed_sha256: String,
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn key_id() -> KeyId {
    KEY.parse().unwrap()
}

fn material_id(which: usize) -> MaterialId {
    MaterialId::new([[0x1d; 32], [0xc7; 32]][which])
}

/// The installation whose root is [`ROOT`].
fn root() -> (tempfile::TempDir, RootKey) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("root.key");
    let check = derive::<8>(&ROOT, b"moho/root/1", &[b"check"]).unwrap();
    let file = [b"moho-dev-root-1\n".as_slice(), &ROOT, check.as_slice()].concat();
    create_private(&path, &file).unwrap();
    let root = RootKey::development(&path, &Counting::new()).unwrap();
    (directory, root)
}

/// A key that was rotated once.
fn kept(root: &RootKey, entropy: &dyn Entropy) -> KeptKey {
    let account = "123456789012".parse().unwrap();
    let mut record = KeyRecord {
        key_id: key_id(),
        account,
        region: "eu-central-1".parse().unwrap(),
        spec: KeySpec::SymmetricDefault,
        usage: KeyUsage::EncryptDecrypt,
        origin: Origin::AwsKms,
        description: String::from("A key of the test vectors"),
        policy: default_key_policy(account),
        principals: BTreeMap::new(),
        tags: BTreeMap::new(),
        created_at: Timestamp::from_unix_seconds(1_795_312_800),
        state: KeyState::Enabled,
        revision: 2,
        materials: Vec::new(),
        rotation: None,
        on_demand_rotations: 0,
    };
    for (which, material) in MATERIALS.iter().enumerate() {
        let id = material_id(which);
        let wrapped = wrap(
            &record,
            (Part::Material, &id),
            material,
            (root.ring().current(), entropy),
        )
        .unwrap();
        record.materials.push(Material {
            id,
            state: [MaterialState::NonCurrent, MaterialState::Current][which],
            created_at: record.created_at,
            rotated: None,
            description: None,
            valid_to: None,
            wrapped: Some(wrapped),
            digest: None,
        });
    }
    KeptKey::clone(&encode(&record, (root, entropy)).unwrap())
}

fn contexts() -> [(&'static str, Pairs); 3] {
    [
        ("no context", Pairs::new()),
        ("one pair", Pairs::from([("account", "123456789012")])),
        (
            "sorted by bytes, not as written",
            Pairs::from([("b", ""), ("B", "two"), ("ä", "€"), ("resource", "resp_1")]),
        ),
    ]
}

fn context(pairs: &Pairs) -> EncryptionContext {
    EncryptionContext::from_pairs(pairs.iter().map(|(key, value)| (*key, *value))).unwrap()
}

fn blobs(key: &Unlocked, root: &RootKey, entropy: &dyn Entropy) -> Vec<BlobVector> {
    let plaintexts: [&[u8]; 3] = [b"\0", b"a data key of thirty-two bytes..", &[0xa5; 300]];
    let materials = [key.current(root).unwrap(), key.first(root).unwrap()];
    let mut vectors = Vec::new();
    for ((name, pairs), plaintext) in contexts().into_iter().zip(plaintexts) {
        for (opened, which) in materials.iter().zip([1, 0]) {
            let digest = context(&pairs).digest();
            let blob = blob::seal(key, *opened, &digest, plaintext, entropy).unwrap();
            vectors.push(BlobVector {
                name,
                material: which,
                context: pairs.clone(),
                plaintext: hex(plaintext),
                blob: hex(&blob),
            });
        }
    }
    vectors
}

fn sealed(pairs: &Pairs, plaintext: &[u8], entropy: &dyn Entropy) -> Vec<u8> {
    let plaintext = ContentBytes::new(plaintext.to_vec());
    let (material, context) = (&MATERIALS[0], context(pairs));
    let object = v1::seal(material, &key_id(), &context, &plaintext, entropy).unwrap();
    object.into_bytes()
}

fn objects(entropy: &dyn Entropy) -> Vec<ObjectVector> {
    let plaintexts: [&[u8]; 3] = [b"", b"a stored response", &[0x5a; 200]];
    contexts()
        .into_iter()
        .zip(plaintexts)
        .map(|((name, pairs), plaintext)| ObjectVector {
            name,
            material: 0,
            sealed: hex(&sealed(&pairs, plaintext, entropy)),
            context: pairs,
            plaintext: hex(plaintext),
        })
        .collect()
}

/// Of version 2, two under each data key.
fn objects_2(key: &Unlocked, root: &RootKey, entropy: &dyn Entropy) -> Vec<ObjectVector> {
    let materials = [key.current(root).unwrap(), key.first(root).unwrap()];
    let mut vectors = Vec::new();
    for ((name, pairs), (opened, which)) in contexts().into_iter().zip(materials.iter().zip([1, 0]).cycle()) {
        let digest = context(&pairs).digest();
        let mut data_key = [0; 32];
        entropy.fill(&mut data_key).unwrap();
        let blob = blob::seal(key, *opened, &digest, &data_key, entropy).unwrap();
        for plaintext in [b"".as_slice(), b"a stored response"] {
            let content = ContentBytes::new(plaintext.to_vec());
            let object = v2::seal((&data_key, &blob), &digest, &content, entropy).unwrap();
            vectors.push(ObjectVector {
                name,
                material: which,
                context: pairs.clone(),
                plaintext: hex(plaintext),
                sealed: hex(object.as_bytes()),
            });
        }
    }
    vectors
}

fn long_objects(entropy: &dyn Entropy) -> Vec<LongObjectVector> {
    let chunk = 1 << 20;
    [
        ("one full chunk", chunk),
        ("one byte more", chunk + 1),
        ("three chunks", 2 * chunk + 9),
    ]
    .map(|(name, length)| {
        let plaintext: Vec<u8> = (0..=250).cycle().take(length).collect();
        let pairs = Pairs::from([("account", "123456789012")]);
        let object = sealed(&pairs, &plaintext, entropy);
        LongObjectVector {
            name,
            material: 0,
            context: pairs,
            plaintext_length: length,
            head: hex(&object[..138]),
            sealed_sha256: hex(digest(&SHA256, &object).as_ref()),
        }
    })
    .into()
}

#[test]
fn what_is_sealed_is_what_the_vectors_say() {
    let (_directory, root) = root();
    let entropy = Counting::new();
    let kept = kept(&root, &entropy);
    let record = hex(&kept.record);
    let key = Remembered::default().key(Arc::new(kept), &root).unwrap();
    let vectors = Vectors {
        about: "Test vectors of docs/sealing.md. All bytes are hexadecimal.",
        root: hex(&ROOT),
        materials: (0..MATERIALS.len())
            .map(|which| MaterialVector {
                id: material_id(which).to_string(),
                material: hex(&MATERIALS[which]),
            })
            .collect(),
        record: RecordVector { key_id: KEY, record },
        blobs: blobs(&key, &root, &entropy),
        objects: objects(&entropy),
        long_objects: long_objects(&entropy),
        objects_2: objects_2(&key, &root, &entropy),
    };
    let made = serde_json::to_string_pretty(&vectors).unwrap() + "\n";
    if made != FILE {
        let new = std::env::temp_dir().join("moho-vectors.json");
        std::fs::write(&new, made).unwrap();
        panic!(
            "the formats are not those of testdata/vectors.json but of {}",
            new.display()
        );
    }
}
