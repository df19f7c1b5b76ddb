//! As much of X.509 as the doctor needs: who issued whom, until when, for which names, how strongly signed.
//!
//! No decision of the server rests on this; rustls makes those. A certificate that this cannot read is reported as such.

use std::net::IpAddr;

use moho_terms::Timestamp;

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const OBJECT: u8 = 0x06;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const VERSION: u8 = 0xa0;
const EXTENSIONS: u8 = 0xa3;
const DNS_NAME: u8 = 0x82;
const ADDRESS: u8 = 0x87;

const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 0x11];
/// Signatures over MD5 or SHA-1: no client takes them any more.
const BROKEN_SIGNATURES: [&[u8]; 3] = [
    &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x04],
    &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x05],
    &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x01],
];
/// The fewest bits of an RSA key that clients take.
const RSA_BITS: usize = 2048;

/// What a certificate says of itself.
#[derive(Debug)]
pub(super) struct Certificate<'a> {
    /// Who signed it, as bytes to be compared.
    pub(super) issuer: &'a [u8],
    /// Whom it is about, as bytes to be compared.
    pub(super) subject: &'a [u8],
    pub(super) not_before: Timestamp,
    pub(super) not_after: Timestamp,
    /// Host names and addresses it vouches for.
    pub(super) names: Vec<String>,
    /// What is too weak about it, if anything is.
    pub(super) weakness: Option<String>,
}

impl<'a> Certificate<'a> {
    /// Reads a certificate; `None` if it has not the form of one.
    pub(super) fn read(der: &'a [u8]) -> Option<Self> {
        let mut whole = Der(Der(der).expect(SEQUENCE)?);
        let mut signed = Der(whole.expect(SEQUENCE)?);
        let signature = Der(whole.expect(SEQUENCE)?).expect(OBJECT)?;
        if signed.peek() == Some(VERSION) {
            signed.next()?;
        }
        signed.expect(INTEGER)?;
        signed.expect(SEQUENCE)?;
        let issuer = signed.expect(SEQUENCE)?;
        let mut validity = Der(signed.expect(SEQUENCE)?);
        let (not_before, not_after) = (validity.moment()?, validity.moment()?);
        let subject = signed.expect(SEQUENCE)?;
        let key = signed.expect(SEQUENCE)?;
        let mut names = Vec::new();
        while let Some((tag, content)) = signed.next() {
            if tag == EXTENSIONS {
                names = alternative_names(content).unwrap_or_default();
            }
        }
        Some(Self {
            issuer,
            subject,
            not_before,
            not_after,
            names,
            weakness: weakness(signature, key),
        })
    }
}

fn weakness(signature: &[u8], key: &[u8]) -> Option<String> {
    if BROKEN_SIGNATURES.contains(&signature) {
        return Some("is signed over SHA-1 or MD5".to_owned());
    }
    let bits = rsa_bits(key)?;
    (bits < RSA_BITS).then(|| format!("has an RSA key of {bits} bits only"))
}

/// The length of the modulus, if the key is one of RSA.
fn rsa_bits(key: &[u8]) -> Option<usize> {
    let mut key = Der(key);
    if Der(key.expect(SEQUENCE)?).expect(OBJECT)? != RSA {
        return None;
    }
    let (_unused_bits, numbers) = key.expect(BIT_STRING)?.split_first()?;
    let modulus = Der(Der(numbers).expect(SEQUENCE)?).expect(INTEGER)?;
    let zeros = modulus.iter().take_while(|byte| **byte == 0).count();
    Some(modulus.len().saturating_sub(zeros).saturating_mul(8))
}

fn alternative_names(extensions: &[u8]) -> Option<Vec<String>> {
    let mut list = Der(Der(extensions).expect(SEQUENCE)?);
    while let Some((SEQUENCE, extension)) = list.next() {
        let mut extension = Der(extension);
        if extension.expect(OBJECT)? != SUBJECT_ALT_NAME {
            continue;
        }
        let value = loop {
            // A truth value, whether the extension is critical, may stand before it.
            match extension.next()? {
                (OCTET_STRING, value) => break value,
                _ => continue,
            }
        };
        let mut names = Der(Der(value).expect(SEQUENCE)?);
        let mut found = Vec::new();
        while let Some((tag, name)) = names.next() {
            match tag {
                DNS_NAME => found.push(String::from_utf8_lossy(name).into_owned()),
                ADDRESS => found.extend(address(name).map(|address| address.to_string())),
                _ => {}
            }
        }
        return Some(found);
    }
    None
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    if let Ok(four) = <[u8; 4]>::try_from(bytes) {
        return Some(four.into());
    }
    <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from)
}

/// The rest of some DER.
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    fn peek(&self) -> Option<u8> {
        self.0.first().copied()
    }

    /// The next value's tag and content.
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (tag, rest) = self.0.split_first()?;
        let (length, rest) = rest.split_first()?;
        let (length, rest) = match length {
            short @ 0..=0x7f => (usize::from(*short), rest),
            long => {
                let (digits, rest) = rest.split_at_checked(usize::from(long & 0x7f))?;
                if digits.is_empty() || digits.len() > 4 {
                    return None;
                }
                let length = digits
                    .iter()
                    .fold(0_usize, |sum, digit| sum << 8 | usize::from(*digit));
                (length, rest)
            }
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((*tag, content))
    }

    fn expect(&mut self, wanted: u8) -> Option<&'a [u8]> {
        self.next()
            .and_then(|(tag, content)| (tag == wanted).then_some(content))
    }

    fn moment(&mut self) -> Option<Timestamp> {
        let (tag, text) = self.next()?;
        let text = std::str::from_utf8(text).ok()?;
        let full = match tag {
            UTC_TIME => {
                let year: u8 = text.get(..2)?.parse().ok()?;
                format!("{}{text}", if year < 50 { "20" } else { "19" })
            }
            GENERALIZED_TIME => text.to_owned(),
            _ => return None,
        };
        let (date, time) = full.split_at_checked(8)?;
        // What is before 1970 is as good as 1970 here.
        Timestamp::parse_iso8601_basic(&format!("{date}T{time}"))
            .ok()
            .or_else(|| (date < "19700101").then(|| Timestamp::from_unix_seconds(0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_certificate_tells_what_it_was_made_with() {
        let mut params =
            rcgen::CertificateParams::new(vec!["moho.example".to_owned(), "::1".to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(2026, 1, 2);
        params.not_after = rcgen::date_time_ymd(2077, 3, 4);
        let key = rcgen::KeyPair::generate().unwrap();
        let made = params.self_signed(&key).unwrap();
        let read = Certificate::read(made.der()).unwrap();
        assert_eq!(read.names, ["moho.example", "::1"]);
        assert_eq!(read.not_before.to_string(), "2026-01-02T00:00:00Z");
        assert_eq!(read.not_after.to_string(), "2077-03-04T00:00:00Z");
        assert_eq!(read.issuer, read.subject);
        assert_eq!(read.weakness, None);
    }

    #[test]
    fn small_keys_and_broken_signatures_are_weak() {
        let modulus = [0x80; 128];
        let mut numbers = vec![INTEGER, 0x81, 129, 0];
        numbers.extend(modulus);
        let mut bits = vec![0, SEQUENCE, 0x81, u8::try_from(numbers.len()).unwrap()];
        bits.extend(numbers);
        let mut key = vec![SEQUENCE, 11, OBJECT, 9];
        key.extend(RSA);
        key.extend([BIT_STRING, 0x81, u8::try_from(bits.len()).unwrap()]);
        key.extend(bits);
        assert_eq!(
            weakness(&[0], &key),
            Some("has an RSA key of 1024 bits only".to_owned())
        );
        for signature in BROKEN_SIGNATURES {
            assert!(weakness(signature, &[]).unwrap().contains("SHA-1"));
        }
    }

    proptest! {
        #[test]
        fn anything_may_come(bytes: Vec<u8>) {
            let mut wrapped = vec![SEQUENCE, 0x82];
            wrapped.extend(u16::try_from(bytes.len()).unwrap_or(u16::MAX).to_be_bytes());
            wrapped.extend(&bytes);
            assert!(Certificate::read(&bytes).is_none() && Certificate::read(&wrapped).is_none());
        }
    }
}
