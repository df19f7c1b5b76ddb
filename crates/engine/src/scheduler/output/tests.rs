//! Stop texts and log-probabilities across every way to cut an output into tokens.

use moho_terms::ContentBytes;
use proptest::prelude::*;

use super::*;

/// What came of an output.
#[derive(Debug, Default, PartialEq)]
struct Given {
    text: String,
    /// The bytes of the tokens whose log-probabilities were told, and how many these are.
    bytes: Vec<u8>,
    told: usize,
    hit: bool,
}

impl Given {
    fn take(&mut self, words: Words) {
        self.text.push_str(words.text.expose());
        for logprob in words.logprobs {
            assert_eq!(logprob.logprob, self.told as f32, "in order");
            self.bytes.extend_from_slice(logprob.bytes.expose());
            self.told += 1;
        }
    }
}

/// Puts out tokens until a stop text ends it; after each, `look` sees what was given and how many tokens went in.
fn put_out(tokens: &[&[u8]], stops: &[&str], mut look: impl FnMut(&Given, usize)) -> Given {
    let stops = stops.iter().map(|stop| Content::new((*stop).to_owned()));
    let mut output = Output::new(StopTexts::new(stops.collect()));
    let (mut given, mut asked) = (Given::default(), 0_u16);
    for (count, bytes) in (1..).zip(tokens) {
        let logprob = TokenLogprob {
            bytes: ContentBytes::new(bytes.to_vec()),
            logprob: f32::from(asked),
            top: Vec::new(),
        };
        asked += u16::from(!bytes.is_empty());
        let (words, hit) = output.push(bytes, Some(logprob));
        given.take(words);
        given.hit = hit;
        look(&given, count);
        if hit {
            return given;
        }
    }
    given.take(output.finish());
    given
}

/// Cuts bytes after each position whose bit is set.
fn cut(bytes: &[u8], cuts: u64) -> Vec<&[u8]> {
    let mut parts = Vec::new();
    let mut from = 0;
    for at in 1..=bytes.len() {
        if at == bytes.len() || cuts >> (at - 1) & 1 == 1 {
            parts.push(&bytes[from..at]);
            from = at;
        }
    }
    parts
}

/// Where the output ends: before the stop text that is complete first, and of these the longest.
fn end_of(text: &str, stops: &[&str]) -> Option<usize> {
    let ends = stops
        .iter()
        .filter_map(|stop| text.find(stop).map(|at| (at + stop.len(), at)));
    ends.min().map(|(_, at)| at)
}

/// Where each token's last character ends.
fn ends(text: &str, tokens: &[&[u8]]) -> Vec<usize> {
    let mut end = 0;
    let place = |token: &&[u8]| {
        end += token.len();
        (end..).find(|at| text.is_char_boundary(*at)).unwrap()
    };
    tokens.iter().map(place).collect()
}

/// Everything that is promised of a text, however it is cut.
fn check(text: &str, tokens: &[&[u8]], stops: &[&str]) {
    let ends = ends(text, tokens);
    let given = put_out(tokens, stops, |given, count| {
        assert!(text.starts_with(&given.text), "{tokens:?} {stops:?}");
        let out = ends[..count]
            .iter()
            .filter(|end| **end <= given.text.len())
            .count();
        assert_eq!(given.told, out, "each leaves with its text: {tokens:?} {stops:?}");
    });
    let end = end_of(text, stops);
    assert_eq!(given.hit, end.is_some(), "{tokens:?} {stops:?}");
    let end = end.unwrap_or(text.len());
    assert_eq!(Some(given.text.as_str()), text.get(..end), "{tokens:?} {stops:?}");
    assert_eq!(
        given.told,
        ends.iter().filter(|own| **own <= end).count(),
        "{tokens:?} {stops:?}"
    );
    assert_eq!(given.bytes, tokens[..given.told].concat());
    let mut at = 0;
    let borders = tokens.iter().any(|token| {
        at += token.len();
        at == end
    });
    if borders || end == 0 {
        assert_eq!(
            given.bytes,
            given.text.as_bytes(),
            "no token is cut: {tokens:?} {stops:?}"
        );
    }
}

#[test]
fn every_way_to_cut_gives_the_same_text_and_its_own_log_probabilities() {
    let stops: [&[&str]; 8] = [
        &[],
        &["é"],
        &["😀"],
        &["é😀", "b"],
        &["éa", "aé", "é😀b"],
        &["aé😀bé", "😀b"],
        &["a", "aé", "aé😀"],
        &["\u{fffd}", "bb"],
    ];
    for text in ["aé😀bé", "éaéaé😀", "😀😀", "aaéb"] {
        for stops in stops {
            for cuts in 0..1_u64 << (text.len() - 1) {
                check(text, &cut(text.as_bytes(), cuts), stops);
            }
        }
    }
}

#[test]
fn tokens_without_text_have_no_place() {
    let given = put_out(&[b"", b"a", b"", b"b"], &["b"], |_, _| ());
    assert_eq!(
        (given.text.as_str(), given.bytes.as_slice(), given.told),
        ("a", &b"a"[..], 1)
    );
}

#[test]
fn what_is_no_character_is_replaced_and_still_told() {
    let given = put_out(&[b"a\xf0\x9f", b"\x98", b"b", b"\xe2"], &[], |_, _| ());
    assert_eq!(given.text, "a\u{fffd}b\u{fffd}");
    assert_eq!(given.bytes, b"a\xf0\x9f\x98b\xe2");
    // The replacement character completes what is no character.
    let given = put_out(&[b"a", b"\xf0\x9f", b"b"], &["\u{fffd}b"], |_, _| ());
    assert_eq!((given.text.as_str(), given.bytes.as_slice()), ("a", &b"a"[..]));
    let given = put_out(&[b"a", b"\xf0\x9f", b"bc"], &["bc"], |_, _| ());
    assert_eq!(
        (given.text.as_str(), given.bytes.as_slice()),
        ("a\u{fffd}", &b"a\xf0\x9f"[..])
    );
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn longer_texts_keep_the_promise_too(
        text in "[ab\u{e9}\u{1f600}]{1,16}",
        stops in prop::collection::vec("[ab\u{e9}\u{1f600}]{1,4}", 0..4),
        cuts: u64,
    ) {
        let stops: Vec<&str> = stops.iter().map(String::as_str).collect();
        check(&text, &cut(text.as_bytes(), cuts), &stops);
    }

    /// Stop texts that match themselves and each other at every step.
    #[test]
    fn stop_texts_that_repeat_themselves_are_found(
        text in "[ab]{1,60}",
        stops in prop::collection::vec("[ab]{1,9}", 1..5),
        cuts: u64,
    ) {
        let stops: Vec<&str> = stops.iter().map(String::as_str).collect();
        check(&text, &cut(text.as_bytes(), cuts), &stops);
        // Likely ones end at once, so that one which comes late or never is watched for, too.
        let late = text.get(text.len() / 2..).unwrap_or("").to_owned() + "b";
        check(&text, &cut(text.as_bytes(), cuts), &[&late, &text]);
    }

    /// Bytes that are no text at all come out as other readers show them, and each token is told.
    #[test]
    fn any_bytes_come_out_with_their_tokens(bytes in prop::collection::vec(any::<u8>(), 0..60), cuts: u64) {
        let tokens = cut(&bytes, cuts);
        let given = put_out(&tokens, &[], |_, _| ());
        prop_assert_eq!(&given.text, &String::from_utf8_lossy(&bytes));
        prop_assert_eq!(given.told, tokens.len());
        prop_assert_eq!(given.bytes, bytes);
    }
}
