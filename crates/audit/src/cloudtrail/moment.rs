//! Times as CloudTrail writes them: `2015-08-30T12:36:00Z`, to the second.

use moho_terms::Timestamp;
use serde::{Deserialize as _, Deserializer, Serializer, de};

/// Reads `2015-08-30T12:36:00Z`; `None` for anything else.
pub(super) fn parse(text: &str) -> Option<Timestamp> {
    let bytes: &[u8; 20] = text.as_bytes().try_into().ok()?;
    let [
        _,
        _,
        _,
        _,
        b'-',
        _,
        _,
        b'-',
        _,
        _,
        b'T',
        _,
        _,
        b':',
        _,
        _,
        b':',
        _,
        _,
        b'Z',
    ] = bytes
    else {
        return None;
    };
    let basic: String = text.chars().filter(|c| !matches!(c, '-' | ':')).collect();
    // A stray hyphen or colon among the digits leaves too few of them, which is refused here.
    Timestamp::parse_iso8601_basic(&basic).ok()
}

pub(super) fn serialize<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(time)
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse(&text).ok_or_else(|| de::Error::custom("a time reads YYYY-MM-DDThh:mm:ssZ"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_whole_seconds_of_real_days_are_times() {
        assert_eq!(
            parse("1970-01-01T00:01:00Z"),
            Some(Timestamp::from_unix_seconds(60))
        );
        for text in [
            "",
            "1970-01-01T00:01:00",
            "1970-01-01T00:01:00.000Z",
            "1970-02-30T00:01:00Z",
            "1970-01-01 00:01:00Z",
            "19700-1-01T00:01:00Z",
            "1970-01-01T00:0::00Z",
            "1970-01-01T00:01:6\u{e9}",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn reading_and_printing_agree(seconds in 0_u64..253_402_300_800) {
            let time = Timestamp::from_unix_seconds(seconds);
            prop_assert_eq!(parse(&time.to_string()), Some(time));
        }
    }
}
