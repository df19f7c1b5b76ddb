//! Values that conditions compare by something else than their letters: truth values, numbers, moments, networks, bytes.

use std::net::IpAddr;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use moho_terms::Timestamp;

/// Base64 with or without its padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A range of addresses of one version of IP. An IPv4 address inside IPv6 (`::ffff:10.0.0.1`) is one of IPv4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Network {
    v4: bool,
    address: u128,
    mask: u128,
}

impl Network {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let widest = if address.is_ipv4() { 32 } else { 128 };
        let length = match length {
            Some(length) if length.bytes().all(|b| b.is_ascii_digit()) => length.parse::<u32>().ok()?,
            Some(_) => return None,
            None => widest,
        };
        if length > widest {
            return None;
        }
        let mut mask = u128::MAX.checked_shl(widest - length).unwrap_or(0);
        let within = address.to_canonical();
        if within.is_ipv4() && widest == 128 {
            // A mapped range wider than all of IPv4 is a range of IPv6 after all.
            if length < 96 {
                return Some(Self {
                    v4: false,
                    address: bits(address) & mask,
                    mask,
                });
            }
            mask = u128::MAX.checked_shl(128 - length).unwrap_or(0);
        }
        Some(Self {
            v4: within.is_ipv4(),
            address: bits(within) & mask,
            mask,
        })
    }

    /// Whether it is no wider than what AWS takes for a range of somebody's: /8 of IPv4, /32 of IPv6.
    pub(super) fn is_narrow(self) -> bool {
        let fixed = self.mask.leading_ones();
        if self.v4 { fixed >= 96 + 8 } else { fixed >= 32 }
    }

    pub(super) fn contains(self, address: &str) -> bool {
        let Ok(address) = address.parse::<IpAddr>() else {
            return false;
        };
        let address = address.to_canonical();
        address.is_ipv4() == self.v4 && bits(address) & self.mask == self.address & self.mask
    }
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(v4.to_bits()),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

pub(super) fn truth(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("true") {
        Some(true)
    } else if text.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        None
    }
}

pub(super) fn number(text: &str) -> Option<f64> {
    let fits = |b: u8| b.is_ascii_digit() || b"+-.eE".contains(&b);
    if text.bytes().all(fits) {
        text.parse::<f64>().ok().filter(|number| number.is_finite())
    } else {
        None
    }
}

pub(super) fn bytes(text: &str) -> Option<Vec<u8>> {
    BASE64.decode(text).ok()
}

/// Seconds since 1970, or W3C's form of ISO 8601: `2026`, `2026-11`, `2026-11-22`, `2026-11-22T03:00Z`,
/// `2026-11-22T03:00:00.5+01:00`.
pub(super) fn moment(text: &str) -> Option<Timestamp> {
    if text.len() > 4 && text.bytes().all(|b| b.is_ascii_digit()) {
        return text.parse().ok().map(Timestamp::from_unix_seconds);
    }
    let mut reader = Reader(text);
    let year = reader.digits(4)?;
    let month = reader.after("-", 2).unwrap_or(Some(1))?;
    let day = reader.after("-", 2).unwrap_or(Some(1))?;
    let days = days_since_1970(year, month, day)?;
    let mut micros = days.checked_mul(86_400_000_000)?;
    if reader.take("T") {
        micros = micros.checked_add(reader.time()?)?;
        micros = micros.checked_sub(reader.zone()?)?;
    }
    let micros = u64::try_from(micros).ok()?;
    (reader.0.is_empty() && micros <= LAST).then(|| Timestamp::from_unix_micros(micros))
}

/// The last microsecond of the year 9999.
const LAST: u64 = 253_402_300_799_999_999;

/// What is left to read.
struct Reader<'a>(&'a str);

impl Reader<'_> {
    fn take(&mut self, what: &str) -> bool {
        match self.0.strip_prefix(what) {
            Some(rest) => {
                self.0 = rest;
                true
            }
            None => false,
        }
    }

    fn digits(&mut self, count: usize) -> Option<i64> {
        let (digits, rest) = self.0.split_at_checked(count)?;
        if !digits.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        self.0 = rest;
        digits.parse().ok()
    }

    /// What follows a separator; the outer `None` if it is not there.
    fn after(&mut self, separator: &str, count: usize) -> Option<Option<i64>> {
        self.take(separator).then(|| self.digits(count))
    }

    /// `hh:mm`, `hh:mm:ss` or `hh:mm:ss.f`, in microseconds since midnight.
    fn time(&mut self) -> Option<i64> {
        let hour = self.digits(2).filter(|hour| *hour < 24)?;
        let minute = self.after(":", 2)?.filter(|minute| *minute < 60)?;
        let second = self
            .after(":", 2)
            .unwrap_or(Some(0))
            .filter(|second| *second < 60)?;
        let fraction = if self.take(".") { self.fraction()? } else { 0 };
        Some(((hour * 60 + minute) * 60 + second) * 1_000_000 + fraction)
    }

    fn fraction(&mut self) -> Option<i64> {
        let length = self.0.bytes().take_while(u8::is_ascii_digit).count();
        let (digits, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        let mut micros = 0;
        let mut scale = 100_000;
        for digit in digits.bytes().take(6) {
            micros += i64::from(digit - b'0') * scale;
            scale /= 10;
        }
        (length > 0).then_some(micros)
    }

    /// `Z` or `+hh:mm`, in microseconds east of UTC.
    fn zone(&mut self) -> Option<i64> {
        if self.take("Z") {
            return Some(0);
        }
        let sign = if self.take("+") {
            1
        } else if self.take("-") {
            -1
        } else {
            return None;
        };
        let hours = self.digits(2).filter(|hours| *hours < 24)?;
        let minutes = self.after(":", 2)?.filter(|minutes| *minutes < 60)?;
        Some(sign * (hours * 60 + minutes) * 60_000_000)
    }
}

fn days_since_1970(year: i64, month: i64, day: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=length).contains(&day) || year < 1970 {
        return None;
    }
    // Years that begin in March, so that the leap day is their last.
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let (era, of_era) = (year / 400, year % 400);
    let of_year = (153 * month + 2) / 5 + day - 1;
    Some(era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn moments_are_read_in_each_form() {
        let seconds = |text| moment(text).map(Timestamp::unix_seconds);
        for (text, expected) in [
            ("1795305600", Some(1_795_305_600)),
            ("2026-11-22", Some(1_795_305_600)),
            ("2026-11-22T00:00Z", Some(1_795_305_600)),
            ("2026-11-22T00:00:00.25Z", Some(1_795_305_600)),
            ("2026-11-22T01:30:00+01:30", Some(1_795_305_600)),
            ("2026-11-21T22:00:00-02:00", Some(1_795_305_600)),
            ("2024-02-29", Some(1_709_164_800)),
            ("2026", Some(1_767_225_600)),
            ("2026-11", Some(1_793_491_200)),
            ("1970-01-01", Some(0)),
            ("2025-02-29", None),
            ("2026-13-01", None),
            ("2026-11-22T24:00:00Z", None),
            ("2026-11-22T00:00:00", None),
            ("2026-11-22 00:00:00Z", None),
            ("20261122T000000Z", None),
            ("2026-11-22T00:00:00Z ", None),
            ("1969-12-31", None),
            ("9999-12-31T23:59:59-23:59", None),
            ("tomorrow", None),
            ("", None),
        ] {
            assert_eq!(seconds(text), expected, "{text}");
        }
    }

    #[test]
    fn networks_are_of_one_version() {
        for (network, address, inside) in [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "::ffff:10.1.2.3", true),
            ("::ffff:10.0.0.0/104", "10.9.9.9", true),
            ("::ffff:10.0.0.0/104", "11.9.9.9", false),
            ("0.0.0.0/0", "9.9.9.9", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("::/0", "2001:db8::1", true),
            ("::/0", "10.0.0.1", false),
            ("10.0.0.1", "10.0.0.1", true),
            ("10.0.0.1", "10.0.0.2", false),
            ("10.0.0.0/8", "010.0.0.1", false),
        ] {
            assert_eq!(
                Network::parse(network).unwrap().contains(address),
                inside,
                "{network} {address}"
            );
        }
        for malformed in [
            "10.0.0.0/33",
            "::/129",
            "10.0.0",
            "10.0.0.0/",
            "10.0.0.0/+8",
            "x",
            "",
        ] {
            assert_eq!(Network::parse(malformed), None, "{malformed}");
        }
    }

    #[test]
    fn numbers_are_decimal_and_finite() {
        assert_eq!(number("1e3"), Some(1000.0));
        for malformed in ["NaN", "inf", "infinity", "1e999", "0x10", "", "1 "] {
            assert_eq!(number(malformed), None, "{malformed}");
        }
    }

    proptest! {
        #[test]
        fn what_a_timestamp_prints_is_read_back(seconds in 0_u64..253_402_300_800) {
            let time = Timestamp::from_unix_seconds(seconds);
            prop_assert_eq!(moment(&time.to_string()), Some(time));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,30}") {
            drop((moment(&text), number(&text), truth(&text), bytes(&text), Network::parse(&text)));
        }
    }
}
