//! CloudTrail's record of a call within the journal's own record of it, sealed: it has what the caller said of its program and what
//! was asked, which the journal tells nobody in the clear.
//!
//! ```text
//! base64 of: form (1) | AES-256-GCM of the record's JSON | tag (16)
//! ```
//! Form 1 is the JSON itself, form 2 a gzip member of it. The key is HMAC-SHA-256 of the event's id under the store's secret for
//! this, so every record has its own, and the nonce is all zeros. The form and the accounts that are told are authenticated beside:
//! whoever puts another account there opens nothing.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use moho_terms::{AccountId, RequestId, Secret};

use crate::cloudtrail::gzip;
use crate::cloudtrail::record::{MAX_RECORD, Record, RecordError, RecordText};

/// The record as it is.
const PLAIN: u8 = 1;
/// The record packed.
const PACKED: u8 = 2;
/// Records longer than this are packed: shorter ones hardly become shorter.
const WORTH_PACKING: usize = 4 * 1024;
/// The most bytes of a sealed record: what the journal's own has room for, in base64.
const MAX_SEALED: usize = 36 * 1024;
/// What is surely sealed within that.
const SURE_TO_FIT: usize = MAX_SEALED - 64;

/// Of which event a record is, and who is told of it.
#[derive(Debug, Clone, Copy)]
pub struct Sealing<'a> {
    /// The event's own id, which no other has.
    pub id: &'a RequestId,
    /// The accounts, in the order of the event.
    pub recipients: &'a [AccountId],
}

impl Sealing<'_> {
    fn beside(&self, form: u8) -> Vec<u8> {
        let accounts = self.recipients.iter().map(|account| account.as_str().as_bytes());
        let mut beside = vec![form];
        accounts.for_each(|account| beside.extend_from_slice(account));
        beside
    }
}

/// Seals and opens records.
pub struct RecordSeal(hmac::Key);

/// A record that cannot be sealed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// It is too large, whatever is omitted.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// It could not be packed.
    #[error("a record cannot be packed")]
    Packing(#[source] std::io::Error),
    /// The library failed.
    #[error("a record cannot be sealed")]
    Cryptography,
}

impl RecordSeal {
    /// Under what the keys of records follow from: 32 bytes of the store's.
    #[must_use]
    pub fn new(secret: &Secret) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret.expose()))
    }

    /// Seals the record of an event for those who are told. What is too large for the journal is omitted first, as AWS does with what is too large
    /// for CloudTrail.
    ///
    /// # Errors
    /// [`SealError`].
    pub fn seal(&self, of: Sealing<'_>, record: Record) -> Result<String, SealError> {
        let smaller = record.clone();
        let text = record.into_text()?;
        let (form, plain) = packed(&text)?;
        if plain.len() <= SURE_TO_FIT {
            return self.sealed(of, form, plain);
        }
        let text = smaller.into_text_within(SURE_TO_FIT)?;
        self.sealed(of, PLAIN, text.as_str().as_bytes().to_vec())
    }

    fn sealed(&self, of: Sealing<'_>, form: u8, mut plain: Vec<u8>) -> Result<String, SealError> {
        let key = self.key(of.id).ok_or(SealError::Cryptography)?;
        let sealed = key.seal_in_place_append_tag(nonce(), Aad::from(of.beside(form)), &mut plain);
        sealed.map_err(|_unspecified| SealError::Cryptography)?;
        plain.insert(0, form);
        Ok(STANDARD.encode(plain))
    }

    /// The JSON of the record of an event; `None` if it was not sealed here for that, or for others.
    #[must_use]
    pub fn open(&self, of: Sealing<'_>, sealed: &str) -> Option<RecordText> {
        if sealed.len() > MAX_SEALED.saturating_mul(2) {
            return None;
        }
        let bytes = STANDARD.decode(sealed).ok()?;
        let (form, rest) = bytes.split_first()?;
        let mut rest = rest.to_vec();
        let opened = self
            .key(of.id)?
            .open_in_place(nonce(), Aad::from(of.beside(*form)), &mut rest);
        let plain: &[u8] = opened.ok()?;
        let record = match *form {
            PLAIN => Record::parse(plain),
            PACKED => Record::parse(&gzip::unpack(plain, MAX_RECORD).ok()?),
            _ => return None,
        };
        record.ok()?.into_text().ok()
    }

    fn key(&self, id: &RequestId) -> Option<LessSafeKey> {
        let key = hmac::sign(&self.0, id.to_string().as_bytes());
        let key = UnboundKey::new(&AES_256_GCM, key.as_ref());
        key.ok().map(LessSafeKey::new)
    }
}

/// Each key seals once.
fn nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; 12])
}

fn packed(text: &RecordText) -> Result<(u8, Vec<u8>), SealError> {
    let plain = text.as_str().as_bytes();
    if plain.len() <= WORTH_PACKING {
        return Ok((PLAIN, plain.to_vec()));
    }
    let packed = gzip::pack(plain).map_err(SealError::Packing)?;
    Ok((PACKED, packed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloudtrail::record::JsonObject;
    use crate::cloudtrail::record::tests::{call, object_of};

    fn id(last: u8) -> RequestId {
        format!("00112233-4455-4677-8899-aabbccddee{last:02x}")
            .parse()
            .unwrap()
    }

    fn of(id: &RequestId) -> Sealing<'_> {
        Sealing { id, recipients: &[] }
    }

    fn seal() -> RecordSeal {
        RecordSeal::new(&Secret::new(vec![7; 32]))
    }

    #[test]
    fn a_record_is_opened_for_its_own_event_only() {
        let sealed = seal().seal(of(&id(1)), call()).unwrap();
        let opened = seal().open(of(&id(1)), &sealed).unwrap();
        assert_eq!(opened, call().into_text().unwrap());
        assert_eq!(seal().open(of(&id(2)), &sealed), None);
        let other = RecordSeal::new(&Secret::new(vec![8; 32]));
        assert_eq!(other.open(of(&id(1)), &sealed), None);
        let bytes = STANDARD.decode(&sealed).unwrap();
        for at in 0..bytes.len() {
            let mut altered = bytes.clone();
            altered[at] ^= 1;
            assert_eq!(seal().open(of(&id(1)), &STANDARD.encode(altered)), None, "{at}");
        }
        let others = ["111111111111".parse().unwrap()];
        let first = id(1);
        let to_others = Sealing {
            recipients: &others,
            ..of(&first)
        };
        assert_eq!(seal().open(to_others, &sealed), None, "it is for nobody else");
        for wrong in ["", "AA==", "no base64"] {
            assert_eq!(seal().open(of(&id(1)), wrong), None);
        }
    }

    #[test]
    fn two_events_of_the_same_call_are_sealed_alike_in_nothing() {
        let [one, other] = [1, 2].map(|last| seal().seal(of(&id(last)), call()).unwrap());
        let same = one.bytes().zip(other.bytes()).skip(2).filter(|(a, b)| a == b);
        assert!(same.count() < one.len() / 8);
    }

    #[test]
    fn what_packs_well_is_kept_and_what_does_not_is_omitted() {
        let mut large = call();
        large.request_parameters = Some(object_of(90 * 1024));
        let sealed = seal().seal(of(&id(1)), large.clone()).unwrap();
        let opened = seal().open(of(&id(1)), &sealed).unwrap();
        assert_eq!(opened, large.clone().into_text().unwrap());

        // Nothing packs the digits of a long random number.
        let mut state = 1_u64;
        let digits: String = std::iter::repeat_with(|| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            format!("{:016x}", state ^ (state >> 29))
        })
        .take(90 * 64)
        .collect();
        large.request_parameters = JsonObject::parse(&format!("{{\"a\":\"{digits}\"}}")).ok();
        let sealed = seal().seal(of(&id(1)), large).unwrap();
        assert!(sealed.len() <= MAX_SEALED * 4 / 3 + 4);
        let opened = seal().open(of(&id(1)), &sealed).unwrap();
        let opened = Record::parse(opened.as_str().as_bytes()).unwrap();
        let omitted = opened.request_parameters.unwrap();
        assert!(
            omitted.as_str().contains("requestParameters too large"),
            "{}",
            omitted.as_str()
        );
    }
}
