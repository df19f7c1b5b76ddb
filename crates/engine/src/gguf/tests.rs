//! Containers whole, cut, bent and hostile.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};

use aws_lc_rs::digest::{SHA256, digest};
use proptest::prelude::*;

use super::{Gguf, GgufError, Header, TensorKind, Value};
use crate::tiny::{Container, Entry, TINY, TensorEntry, llama};

fn file(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file.seek(SeekFrom::Start(0)).unwrap();
    file
}

/// Names and bytes.
type Tensors = Vec<(String, Vec<u8>)>;

/// Reads everything there is in a file.
fn read_all(bytes: &[u8]) -> Result<(Gguf, [u8; 32], Tensors), GgufError> {
    let gguf = Gguf::read(file(bytes))?;
    let mut tensors = Vec::new();
    let digest = gguf.read_tensors(&mut |_, _| (), |tensor, bytes| {
        tensors.push((tensor.name.clone(), bytes.to_vec()));
        Ok::<_, GgufError>(())
    })?;
    Ok((gguf, digest, tensors))
}

fn refused(container: &Container) -> String {
    match read_all(&container.to_bytes()) {
        Ok(_) => panic!("accepted"),
        Err(error) => error.to_string(),
    }
}

/// Two tensors of one Q8_0 block each.
fn small() -> Container {
    let tensor = |name: &str| TensorEntry {
        name: name.to_owned(),
        shape: vec![32],
        kind: 8,
        bytes: (0..34).collect(),
        offset: None,
    };
    let entries = vec![
        ("general.architecture".to_owned(), Entry::Text("llama".to_owned())),
        ("some.flag".to_owned(), Entry::Bool(true)),
        (
            "some.texts".to_owned(),
            Entry::Texts(vec!["a".to_owned(), "é".to_owned()]),
        ),
        ("some.numbers".to_owned(), Entry::I32s(vec![-1, 7])),
        ("some.float".to_owned(), Entry::F32(0.5)),
    ];
    Container {
        version: 3,
        entries,
        tensors: vec![tensor("first"), tensor("second")],
        alignment: 32,
    }
}

#[test]
fn what_was_written_is_read() {
    for version in [2, 3] {
        for kind in [0, 1, 2, 3, 8, 30] {
            let container = Container {
                version,
                ..llama(TINY, kind, 1)
            };
            let bytes = container.to_bytes();
            let (gguf, sha256, tensors) = read_all(&bytes).unwrap();
            assert_eq!(sha256.as_slice(), digest(&SHA256, &bytes).as_ref());
            assert_eq!(tensors.len(), container.tensors.len());
            for ((name, bytes), written) in tensors.iter().zip(&container.tensors) {
                assert_eq!((name, bytes), (&written.name, &written.bytes));
            }
            assert_eq!(gguf.u32("llama.embedding_length").unwrap(), 64);
            assert_eq!(gguf.f32("llama.rope.freq_base").unwrap(), 100_000.0);
        }
    }
}

#[test]
fn values_keep_their_types() {
    let (gguf, ..) = read_all(&small().to_bytes()).unwrap();
    assert_eq!(gguf.text("general.architecture").unwrap(), "llama");
    assert_eq!(gguf.get("some.flag").and_then(Value::as_bool), Some(true));
    assert_eq!(
        gguf.get("some.texts").and_then(Value::as_texts).unwrap(),
        ["a", "é"]
    );
    assert_eq!(
        gguf.get("some.numbers").and_then(Value::as_integers).unwrap(),
        [-1, 7]
    );
    assert_eq!(gguf.tensors()[0].kind, TensorKind::Q8_0);
    assert!(matches!(gguf.u32("some.float"), Err(GgufError::WrongType { .. })));
    assert!(matches!(
        gguf.u32("some.hole"),
        Err(GgufError::Missing { key: "some.hole" })
    ));
}

#[test]
fn other_alignments_are_followed() {
    let mut container = Container {
        alignment: 256,
        ..small()
    };
    container.set("general.alignment", Entry::U32(256));
    read_all(&container.to_bytes()).unwrap();
    for wrong in [0, 1, 4, 48, 1 << 17] {
        container.set("general.alignment", Entry::U32(wrong));
        assert_eq!(
            refused(&container),
            "the alignment is not a power of two from 8 to 65536"
        );
    }
}

#[test]
fn other_types_are_refused_by_name() {
    let mut container = small();
    container.tensors[0].kind = 12;
    assert_eq!(
        refused(&container),
        "tensor `first` has type Q4_K, which is not supported; supported: F32, F16, BF16, Q8_0, Q4_0, Q4_1"
    );
    container.tensors[0].kind = 4_000_000_000;
    assert!(refused(&container).contains("type number 4000000000"));
}

#[test]
fn tensors_stay_in_their_places() {
    let change = |change: fn(&mut TensorEntry)| {
        let mut container = small();
        change(&mut container.tensors[1]);
        refused(&container)
    };
    assert_eq!(
        change(|t| t.offset = Some(32)),
        "tensors `first` and `second` overlap"
    );
    assert_eq!(
        change(|t| t.offset = Some(0)),
        "tensors `first` and `second` overlap"
    );
    assert_eq!(
        change(|t| t.offset = Some(65)),
        "tensor `second` is at an impossible place"
    );
    assert_eq!(
        change(|t| t.offset = Some(96)),
        "tensor `second` is at an impossible place"
    );
    assert_eq!(
        change(|t| t.offset = Some(u64::MAX - 31)),
        "tensor `second` is at an impossible place"
    );
    assert_eq!(
        change(|t| t.name = "first".to_owned()),
        "tensor `first` is there twice"
    );
}

#[test]
fn shapes_are_possible() {
    for shape in [
        vec![],
        vec![0],
        vec![31],
        vec![32, 0],
        vec![32; 5],
        vec![1 << 63, 2],
        vec![32, u64::MAX],
        vec![1 << 40, 1 << 40],
    ] {
        let mut container = small();
        container.tensors[0].shape = shape.clone();
        assert_eq!(
            refused(&container),
            "tensor `first` has an impossible shape",
            "{shape:?}"
        );
    }
}

#[test]
fn announcements_are_not_believed() {
    let bytes = small().to_bytes();
    let with = |at: usize, value: u64| {
        let mut bent = bytes.clone();
        bent[at..at + 8].copy_from_slice(&value.to_le_bytes());
        read_all(&bent)
            .err()
            .map(|error| error.to_string())
            .unwrap_or_default()
    };
    assert_eq!(with(8, u64::MAX), "the header has more than 65536 tensors");
    assert_eq!(
        with(16, u64::MAX),
        "the header has more than 16384 metadata entries"
    );
    // The length of the first key, then that of the first text.
    assert_eq!(with(24, u64::MAX), "entry 0 of the metadata has an unusable name");
    assert_eq!(with(24 + 8 + 20 + 4, u64::MAX), "the file ends too early");
    for (kind, length) in [
        (8_u32, u64::MAX),
        (8, 1 << 61),
        (4, 1 << 62),
        (4, 1 << 40),
        (0, u64::MAX),
    ] {
        let value = [kind.to_le_bytes().as_slice(), &length.to_le_bytes()].concat();
        let mut container = small();
        container.set("some.array", Entry::Raw(9, value));
        assert_eq!(refused(&container), "the file ends too early", "{kind} {length}");
    }
}

#[test]
fn odd_metadata_is_refused() {
    let with = |key: &str, entry: Entry| {
        let mut container = small();
        container.entries.push((key.to_owned(), entry));
        refused(&container)
    };
    assert_eq!(
        with("some.flag", Entry::Bool(true)),
        "metadata key `some.flag` is there twice"
    );
    assert_eq!(
        with("x", Entry::Raw(7, vec![2])),
        "a truth value in the header is neither 0 nor 1"
    );
    assert_eq!(
        with("x", Entry::Raw(13, vec![])),
        "metadata key `x` has the unknown or nested type 13"
    );
    // Arrays of arrays, as deep as one likes, end at the first.
    let nested = [9_u32.to_le_bytes().as_slice(), &1_u64.to_le_bytes()]
        .concat()
        .repeat(1000);
    assert_eq!(
        with("x", Entry::Raw(9, nested)),
        "metadata key `x` has the unknown or nested type 9"
    );
    let text = [2_u64.to_le_bytes().as_slice(), &[0xc3, 0x28]].concat();
    assert_eq!(
        with("x", Entry::Raw(8, text)),
        "a text in the header is not utf-8"
    );
    assert_eq!(
        with("", Entry::U32(1)),
        "entry 5 of the metadata has an unusable name"
    );
    assert_eq!(
        with("a\u{1b}[2J", Entry::U32(1)),
        "entry 5 of the metadata has an unusable name"
    );
}

#[test]
fn other_formats_are_refused() {
    let of = |version| refused(&Container { version, ..small() });
    assert_eq!(
        of(1),
        "gguf version 1 is not supported; supported: 2 and 3, little-endian"
    );
    assert!(of(3_u32.swap_bytes()).contains("is not supported"));
    assert_eq!(
        read_all(b"PK\x03\x04 and more").err().map(|e| e.to_string()),
        Some("not a gguf file".to_owned())
    );
    let directory = File::open("/").unwrap();
    assert!(matches!(Gguf::read(directory), Err(GgufError::NotAFile)));
}

#[test]
fn a_huge_header_is_refused() {
    let mut container = small();
    container.set("padding", Entry::Text("x".repeat(65 << 20)));
    assert_eq!(refused(&container), "the header has more than 67108864 bytes");
}

#[test]
fn every_cut_is_noticed() {
    let bytes = small().to_bytes();
    for length in 0..bytes.len() {
        assert!(read_all(&bytes[..length]).is_err(), "cut at {length}");
    }
}

#[test]
fn a_file_that_shrinks_meanwhile_is_an_error() {
    let file = file(&small().to_bytes());
    let gguf = Gguf::read(file.try_clone().unwrap()).unwrap();
    file.set_len(400).unwrap();
    let result = gguf.read_tensors(&mut |_, _| (), |_, _| Ok::<_, GgufError>(()));
    assert!(matches!(result, Err(GgufError::Truncated)));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is changed, reading ends with tensors inside the file or with an error.
    #[test]
    fn changed_bytes_never_panic(changes in prop::collection::vec((0_usize..500, any::<u8>()), 1..8)) {
        let mut bytes = small().to_bytes();
        let length = bytes.len();
        for (at, value) in changes {
            bytes[at % length] = value;
        }
        if let Ok((gguf, sha256, tensors)) = read_all(&bytes) {
            let expected = digest(&SHA256, &bytes);
            prop_assert_eq!(sha256.as_slice(), expected.as_ref());
            prop_assert_eq!(tensors.len(), gguf.tensors().len());
        }
    }

    /// Noise behind a good beginning.
    #[test]
    fn noise_never_panics(noise in prop::collection::vec(any::<u8>(), 0..300)) {
        let bytes = [b"GGUF\x03\0\0\0".as_slice(), &noise].concat();
        drop(read_all(&bytes));
    }
}

/// Any value that the format has: its type's number, and its bytes in the file.
fn any_value() -> impl Strategy<Value = Entry> {
    let text = "\\PC{0,12}";
    let scalar = prop_oneof![
        (Just(0_u32), prop::collection::vec(any::<u8>(), 1)),
        (Just(1), prop::collection::vec(any::<u8>(), 1)),
        (Just(2), prop::collection::vec(any::<u8>(), 2)),
        (Just(3), prop::collection::vec(any::<u8>(), 2)),
        (Just(4), prop::collection::vec(any::<u8>(), 4)),
        (Just(5), prop::collection::vec(any::<u8>(), 4)),
        (Just(6), prop::collection::vec(any::<u8>(), 4)),
        (Just(7), prop::collection::vec(0_u8..2, 1)),
        (Just(10), prop::collection::vec(any::<u8>(), 8)),
        (Just(11), prop::collection::vec(any::<u8>(), 8)),
        (Just(12), prop::collection::vec(any::<u8>(), 8)),
    ];
    let list = (scalar.clone(), 0_usize..5).prop_map(|((kind, bytes), count)| {
        let count_bytes = (count as u64).to_le_bytes();
        let raw = [&kind.to_le_bytes()[..], &count_bytes, &bytes.repeat(count)].concat();
        Entry::Raw(9, raw)
    });
    prop_oneof![
        text.prop_map(Entry::Text),
        prop::collection::vec(text, 0..5).prop_map(Entry::Texts),
        scalar.prop_map(|(kind, bytes)| Entry::Raw(kind, bytes)),
        list,
    ]
}

/// What the format makes of a value: its type's number and its bytes, a list's with its own header.
fn written(entry: &Entry) -> Vec<u8> {
    let alone = Container {
        version: 3,
        entries: vec![("k".to_owned(), entry.clone())],
        tensors: Vec::new(),
        alignment: 32,
    };
    // Magic, version, two counts, and the key with its length.
    alone.to_bytes().split_off(4 + 4 + 16 + 9)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever can be written is read as it was written, and printed as what is read as the same again.
    #[test]
    fn any_metadata_survive_being_read_and_printed(
        entries in prop::collection::btree_map("[a-z._0-9]{1,40}", any_value(), 0..12),
        kinds in prop::collection::vec((prop::sample::select(vec![0_u32, 1, 2, 3, 8, 30]), 1_u64..4), 0..5),
        alignment in prop::sample::select(vec![None, Some(8_usize), Some(64), Some(4096)]),
        version in 2_u32..4,
    ) {
        let mut numbers = crate::tiny::Numbers(1);
        let tensors = (0..).zip(&kinds).map(|(index, (kind, rows))| TensorEntry {
            name: format!("t{index}"),
            shape: vec![32, *rows],
            kind: *kind,
            bytes: crate::tiny::weights(*kind, 32 * usize::try_from(*rows).unwrap(), 1.0, &mut numbers),
            offset: None,
        });
        let mut container = Container {
            version,
            entries: entries.into_iter().collect(),
            tensors: tensors.collect(),
            alignment: alignment.unwrap_or(32),
        };
        if let Some(alignment) = alignment {
            container.set("general.alignment", Entry::U32(u32::try_from(alignment).unwrap()));
        }
        let header = Header::from_bytes(&container.to_bytes()).unwrap();
        prop_assert_eq!(header.counts(), (container.entries.len(), container.tensors.len()));
        for (key, entry) in &container.entries {
            // One entry alone is printed as its key and its value, so that values can be compared as bytes.
            let alone = Header { entries: [(key.clone(), header.get(key).unwrap().clone())].into(), tensors: Vec::new() };
            prop_assert_eq!(alone.print().split_off(4 + 4 + 16 + 8 + key.len()), written(entry));
        }
        for (tensor, written) in header.tensors().iter().zip(&container.tensors) {
            prop_assert_eq!((&tensor.name, tensor.kind.number()), (&written.name, written.kind));
            let shape: Vec<u64> = tensor.shape.iter().map(|size| *size as u64).collect();
            prop_assert_eq!(&shape, &written.shape);
        }
        let printed = header.print();
        prop_assert_eq!(&Header::from_bytes(&printed).unwrap(), &header);
        prop_assert_eq!(Header::from_bytes(&printed).unwrap().print(), printed);
    }

    /// What changed bytes are read as, if at all, is printed and read as the same.
    #[test]
    fn whatever_is_read_is_printed_as_the_same(changes in prop::collection::vec((0_usize..500, any::<u8>()), 0..8)) {
        let mut bytes = small().to_bytes();
        let length = bytes.len();
        for (at, value) in changes {
            bytes[at % length] = value;
        }
        if let Ok(header) = Header::from_bytes(&bytes) {
            let printed = header.print();
            prop_assert!(printed.len() <= length);
            prop_assert_eq!(Header::from_bytes(&printed).unwrap(), header);
        }
    }
}
