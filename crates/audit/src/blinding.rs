//! What each entry ends in so that nobody can guess the rest of it: `"blind":"32 hexadecimal digits"`.
//!
//! The digests of all records are public. Whoever is shown a part of one could try what is not shown against its digest, as there may
//! be few things that can stand there: an account, or nothing. So there is something in each record that no part has and nobody
//! can try: the first half of an HMAC-SHA-256 of the entry, under a key of the log's.

use aws_lc_rs::hmac;
use moho_attest::log::Origin;
use moho_terms::Secret;

/// The member of an entry.
pub(crate) const BLIND: &str = "blind";
/// Bytes of it.
const BYTES: usize = 16;

/// What the entries of one log are blinded with.
pub(crate) struct Blinding(hmac::Key);

impl Blinding {
    /// By the secret that the log's own key is made of.
    pub(crate) fn of(secret: &Secret, origin: &Origin) -> Self {
        let secret = hmac::Key::new(hmac::HMAC_SHA256, secret.expose());
        let of_log = hmac::sign(&secret, format!("{BLIND}/{}", origin.as_str()).as_bytes());
        Self(hmac::Key::new(hmac::HMAC_SHA256, of_log.as_ref()))
    }

    /// A JSON object that has members, with this one behind them.
    pub(crate) fn blind(&self, entry: &mut Vec<u8>) {
        let tag = hmac::sign(&self.0, entry);
        if entry.pop_if(|last| *last == b'}').is_none() {
            return;
        }
        entry.extend_from_slice(format!(",\"{BLIND}\":\"").as_bytes());
        for byte in tag.as_ref().iter().take(BYTES) {
            let digits = [byte >> 4, byte & 15].map(|digit| char::from_digit(u32::from(digit), 16));
            entry.extend(digits.into_iter().flatten().map(|digit| digit as u8));
        }
        entry.extend_from_slice(b"\"}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blinded(secret: u8, entry: &str) -> String {
        let origin = "moho/log/00112233445566778899aabbccddeeff".parse().unwrap();
        let mut entry = entry.as_bytes().to_vec();
        Blinding::of(&Secret::new(vec![secret; 32]), &origin).blind(&mut entry);
        String::from_utf8(entry).unwrap()
    }

    #[test]
    fn each_entry_ends_in_what_follows_from_all_of_it_and_the_key() {
        let entry = blinded(7, r#"{"n":1}"#);
        let (rest, blind) = entry.split_once(r#","blind":""#).unwrap();
        assert_eq!(rest, r#"{"n":1"#);
        let blind = blind.strip_suffix(r#""}"#).unwrap();
        assert_eq!(blind.len(), 2 * BYTES);
        assert!(blind.bytes().all(|byte| byte.is_ascii_hexdigit()));
        for (secret, other) in [(7, r#"{"n":2}"#), (8, r#"{"n":1}"#)] {
            assert!(!blinded(secret, other).contains(blind));
        }
        assert_eq!(blinded(7, r#"{"n":1}"#), entry);
    }
}
