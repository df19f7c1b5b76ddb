//! Checksums: what a client says of its bytes is compared with them before anything is kept, and kept beside them, sealed.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::{HeaderMap, StatusCode};
use moho_store::objects::Checksum;
use s3s::S3Error;
use s3s::crypto::{Checksum as _, Crc32, Crc32c, Crc64Nvme, Md5, Sha1, Sha256};

use crate::call::Trailers;
use crate::failure;

/// An algorithm that S3 knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Algorithm {
    Crc32,
    Crc32c,
    Crc64Nvme,
    Sha1,
    Sha256,
}

impl Algorithm {
    pub(crate) const ALL: [Self; 5] = [
        Self::Crc32,
        Self::Crc32c,
        Self::Crc64Nvme,
        Self::Sha1,
        Self::Sha256,
    ];

    /// As S3 writes it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Crc32 => "CRC32",
            Self::Crc32c => "CRC32C",
            Self::Crc64Nvme => "CRC64NVME",
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|own| own.as_str().eq_ignore_ascii_case(text))
    }

    /// The header that has its value.
    pub(crate) fn header(self) -> &'static str {
        match self {
            Self::Crc32 => "x-amz-checksum-crc32",
            Self::Crc32c => "x-amz-checksum-crc32c",
            Self::Crc64Nvme => "x-amz-checksum-crc64nvme",
            Self::Sha1 => "x-amz-checksum-sha1",
            Self::Sha256 => "x-amz-checksum-sha256",
        }
    }

    /// Bytes of a value.
    fn length(self) -> usize {
        match self {
            Self::Crc32 | Self::Crc32c => 4,
            Self::Crc64Nvme => 8,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
        }
    }

    /// Whether the checksum of a whole follows from those of its parts.
    pub(crate) fn is_crc(self) -> bool {
        matches!(self, Self::Crc32 | Self::Crc32c | Self::Crc64Nvme)
    }

    /// The checksum of bytes at once.
    pub(crate) fn of(self, bytes: &[u8]) -> Vec<u8> {
        let mut running = Running::new(self);
        running.update(bytes);
        running.finish()
    }

    /// The checksum of two runs of bytes, one after the other, from those of each and the length of the second.
    fn joined(self, first: u64, second: u64, length: u64) -> u64 {
        let algorithm = match self {
            Self::Crc32c => crc_fast::CrcAlgorithm::Crc32Iscsi,
            Self::Crc64Nvme => crc_fast::CrcAlgorithm::Crc64Nvme,
            Self::Crc32 | Self::Sha1 | Self::Sha256 => crc_fast::CrcAlgorithm::Crc32IsoHdlc,
        };
        crc_fast::checksum_combine(algorithm, first, second, length)
    }

    /// The value of a header, as bytes.
    pub(crate) fn value(self, text: &str) -> Option<Vec<u8>> {
        let bytes = BASE64_STANDARD.decode(text).ok()?;
        (bytes.len() == self.length()).then_some(bytes)
    }
}

/// A checksum on its way.
pub(crate) enum Running {
    Crc32(Crc32),
    Crc32c(Crc32c),
    Crc64Nvme(Crc64Nvme),
    Sha1(Sha1),
    Sha256(Sha256),
}

impl Running {
    pub(crate) fn new(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Crc32 => Self::Crc32(Crc32::new()),
            Algorithm::Crc32c => Self::Crc32c(Crc32c::new()),
            Algorithm::Crc64Nvme => Self::Crc64Nvme(Crc64Nvme::new()),
            Algorithm::Sha1 => Self::Sha1(Sha1::new()),
            Algorithm::Sha256 => Self::Sha256(Sha256::new()),
        }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Crc32(sum) => sum.update(bytes),
            Self::Crc32c(sum) => sum.update(bytes),
            Self::Crc64Nvme(sum) => sum.update(bytes),
            Self::Sha1(sum) => sum.update(bytes),
            Self::Sha256(sum) => sum.update(bytes),
        }
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        match self {
            Self::Crc32(sum) => sum.finalize().to_vec(),
            Self::Crc32c(sum) => sum.finalize().to_vec(),
            Self::Crc64Nvme(sum) => sum.finalize().to_vec(),
            Self::Sha1(sum) => sum.finalize().to_vec(),
            Self::Sha256(sum) => sum.finalize().to_vec(),
        }
    }
}

/// An algorithm, and the value of its checksum if that comes before the bytes.
type Said = (Algorithm, Option<Vec<u8>>);

/// What a request says of its bytes, and what they turn out to be.
pub(crate) struct Checks {
    /// What was said, before the bytes or after them.
    said: Option<Said>,
    md5: Option<(Vec<u8>, Md5)>,
    running: Vec<(Algorithm, Running)>,
    trailers: Trailers,
}

impl Checks {
    /// What a request says. What is kept is the checksum of its algorithm, else of `otherwise`.
    pub(crate) fn of(
        headers: &HeaderMap,
        trailers: Trailers,
        otherwise: Option<Algorithm>,
    ) -> Result<Self, S3Error> {
        let said = said(headers)?;
        let mut wanted: Vec<Algorithm> = said.iter().map(|(algorithm, _)| *algorithm).collect();
        let extra = otherwise.or_else(|| wanted.is_empty().then_some(Algorithm::Crc64Nvme));
        wanted.extend(extra.filter(|extra| !wanted.contains(extra)));
        Ok(Self {
            said,
            md5: content_md5(headers)?.map(|md5| (md5, Md5::new())),
            running: wanted
                .into_iter()
                .map(|algorithm| (algorithm, Running::new(algorithm)))
                .collect(),
            trailers,
        })
    }

    /// What is said, before the bytes or after them.
    pub(crate) fn algorithm(&self) -> Option<Algorithm> {
        self.said.as_ref().map(|(algorithm, _)| *algorithm)
    }

    /// Takes the next bytes.
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        for (_, running) in &mut self.running {
            running.update(bytes);
        }
        if let Some((_, md5)) = &mut self.md5 {
            md5.update(bytes);
        }
    }

    /// The checksums of all bytes, if they are what the request says.
    pub(crate) fn finish(self) -> Result<Vec<Checksum>, S3Error> {
        if let Some((said, md5)) = self.md5
            && md5.finalize().as_ref() != said.as_slice()
        {
            return Err(bad_digest(
                "The Content-MD5 you specified did not match what we received.",
            ));
        }
        let mut checksums = Vec::new();
        for (algorithm, running) in self.running {
            let found = running.finish();
            if let Some((said, value)) = &self.said
                && *said == algorithm
            {
                let value = match value {
                    Some(value) => value.clone(),
                    None => trailing(&self.trailers, algorithm)?,
                };
                if value != found {
                    return Err(mismatch(algorithm));
                }
            }
            checksums.push(kept(algorithm, &found, false));
        }
        Ok(checksums)
    }
}

/// A checksum as it is kept.
pub(crate) fn kept(algorithm: Algorithm, value: &[u8], composite: bool) -> Checksum {
    Checksum {
        algorithm: algorithm.as_str().to_owned(),
        value: BASE64_STANDARD.encode(value),
        composite,
    }
}

/// The checksum that headers say, and whether its value is among them or comes after the body.
fn said(headers: &HeaderMap) -> Result<Option<Said>, S3Error> {
    check_known(headers)?;
    let mut found = None;
    for algorithm in Algorithm::ALL {
        let Some(text) = headers.get(algorithm.header()) else {
            continue;
        };
        if found.is_some() {
            return Err(failure::invalid_request(
                "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.",
            ));
        }
        let value = text.to_str().ok().and_then(|text| algorithm.value(text));
        let value = value.ok_or_else(|| invalid(algorithm))?;
        found = Some((algorithm, Some(value)));
    }
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if found.is_none()
        && let Some(trailer) = text("x-amz-trailer")
    {
        let names = |algorithm: &Algorithm| {
            let mut names = trailer.split(',');
            names.any(|name| name.trim().eq_ignore_ascii_case(algorithm.header()))
        };
        found = Algorithm::ALL
            .into_iter()
            .find(names)
            .map(|algorithm| (algorithm, None));
    }
    let named = text("x-amz-sdk-checksum-algorithm").map(Algorithm::parse);
    match (named, &found) {
        (Some(None), _) => Err(unsupported()),
        (Some(Some(_)), None) => Err(failure::invalid_request(
            "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers were found.",
        )),
        (Some(Some(named)), Some((found, _))) if named != *found => Err(failure::invalid_request(
            "Value for x-amz-sdk-checksum-algorithm header is invalid.",
        )),
        _ => Ok(found),
    }
}

/// A checksum that cannot be compared is refused: who says one relies on it.
fn check_known(headers: &HeaderMap) -> Result<(), S3Error> {
    let trailers = headers.get_all("x-amz-trailer").into_iter();
    let trailers = trailers.filter_map(|value| value.to_str().ok());
    let trailers = trailers.flat_map(|names| names.split(',')).map(str::trim);
    let mut names = headers.keys().map(http::HeaderName::as_str).chain(trailers);
    let is_foreign = |name: &str| {
        let name = name.to_ascii_lowercase();
        name.strip_prefix("x-amz-checksum-").is_some_and(|kind| {
            !["algorithm", "mode", "type"].contains(&kind) && Algorithm::parse(kind).is_none()
        })
    };
    if names.any(is_foreign) {
        Err(unsupported())
    } else {
        Ok(())
    }
}

fn unsupported() -> S3Error {
    failure::invalid_request(
        "Checksum algorithm provided is unsupported. Please try again with any of the valid types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]",
    )
}

fn trailing(trailers: &Trailers, algorithm: Algorithm) -> Result<Vec<u8>, S3Error> {
    let text = trailers.get(algorithm.header()).ok_or_else(|| {
        failure::error(
            "MalformedTrailerError",
            StatusCode::BAD_REQUEST,
            "The request contained trailing data that was not well-formed or did not conform to our published schema.",
        )
    })?;
    algorithm.value(text.trim()).ok_or_else(|| invalid(algorithm))
}

fn content_md5(headers: &HeaderMap) -> Result<Option<Vec<u8>>, S3Error> {
    let Some(value) = headers.get("content-md5") else {
        return Ok(None);
    };
    let bytes = value
        .to_str()
        .ok()
        .and_then(|text| BASE64_STANDARD.decode(text).ok());
    bytes.filter(|bytes| bytes.len() == 16).map(Some).ok_or_else(|| {
        failure::error(
            "InvalidDigest",
            StatusCode::BAD_REQUEST,
            "The Content-MD5 you specified was invalid.",
        )
    })
}

fn invalid(algorithm: Algorithm) -> S3Error {
    failure::invalid_request(&format!("Value for {} header is invalid.", algorithm.header()))
}

pub(crate) fn mismatch(algorithm: Algorithm) -> S3Error {
    bad_digest(&format!(
        "The {} you specified did not match the calculated checksum.",
        algorithm.as_str()
    ))
}

fn bad_digest(message: &str) -> S3Error {
    failure::error("BadDigest", StatusCode::BAD_REQUEST, message)
}

/// One part of a whole, as far as the checksum of the whole needs it.
pub(crate) struct PartSum {
    pub(crate) value: Vec<u8>,
    pub(crate) size: u64,
}

/// The checksum of a whole from those of its parts: of their values, or, for cyclic ones, of all bytes.
pub(crate) fn of_parts(algorithm: Algorithm, composite: bool, parts: &[PartSum]) -> Vec<u8> {
    if composite {
        let values: Vec<u8> = parts.iter().flat_map(|part| &part.value).copied().collect();
        return algorithm.of(&values);
    }
    let number = |bytes: &[u8]| bytes.iter().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
    let mut whole: Option<u64> = None;
    for part in parts {
        let value = number(&part.value);
        whole = Some(match whole {
            None => value,
            Some(before) => algorithm.joined(before, value, part.size),
        });
    }
    let bytes = whole.unwrap_or_default().to_be_bytes();
    bytes
        .get(bytes.len().saturating_sub(algorithm.length())..)
        .unwrap_or_default()
        .to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pairs = pairs
            .iter()
            .map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap()));
        pairs.collect()
    }

    fn checked(pairs: &[(&'static str, &str)], bytes: &[u8]) -> Result<Vec<Checksum>, S3Error> {
        let mut checks = Checks::of(&headers(pairs), Trailers::new(), None)?;
        checks.update(bytes);
        checks.finish()
    }

    fn code(result: Result<Vec<Checksum>, S3Error>) -> String {
        result.err().unwrap().code().as_str().to_owned()
    }

    #[test]
    fn every_algorithm_knows_its_value_of_123456789() {
        for (header, value) in [
            ("x-amz-checksum-crc32", "y/Q5Jg=="),
            ("x-amz-checksum-crc32c", "4waSgw=="),
            ("x-amz-checksum-crc64nvme", "rosUhgp5mIg="),
            ("x-amz-checksum-sha1", "98O8HYCOBHMq32eZZczDTKeuNEE="),
            (
                "x-amz-checksum-sha256",
                "FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU=",
            ),
            ("content-md5", "JfnnlDI7RTiF9RgfG2JNCw=="),
        ] {
            let found = checked(&[(header, value)], b"123456789");
            let Ok(found) = found else {
                let bytes: Vec<String> = Algorithm::ALL
                    .iter()
                    .map(|a| kept(*a, &a.of(b"123456789"), false).value)
                    .collect();
                panic!("{header} {bytes:?}");
            };
            assert_eq!(found.len(), 1);
            assert_eq!(code(checked(&[(header, value)], b"123456788")), "BadDigest");
        }
    }

    #[test]
    fn a_value_that_is_none_is_refused() {
        assert_eq!(
            code(checked(&[("x-amz-checksum-crc32", "AAAA")], b"")),
            "InvalidRequest"
        );
        assert_eq!(
            code(checked(&[("x-amz-checksum-crc32", "\"\"")], b"")),
            "InvalidRequest"
        );
        assert_eq!(code(checked(&[("content-md5", "AAAA")], b"")), "InvalidDigest");
        let two = [
            ("x-amz-checksum-crc32", "AAAAAA=="),
            ("x-amz-checksum-crc32c", "AAAAAA=="),
        ];
        assert_eq!(code(checked(&two, b"")), "InvalidRequest");
        let other = [
            ("x-amz-checksum-crc32", "AAAAAA=="),
            ("x-amz-sdk-checksum-algorithm", "SHA1"),
        ];
        assert_eq!(code(checked(&other, b"")), "InvalidRequest");
        for (name, value) in [
            ("x-amz-sdk-checksum-algorithm", "MD4"),
            ("x-amz-sdk-checksum-algorithm", "SHA1"),
            ("x-amz-checksum-md5", "1B2M2Y8AsgTpgAmY7PhCfg=="),
            ("x-amz-trailer", "x-amz-checksum-sha512"),
        ] {
            assert_eq!(code(checked(&[(name, value)], b"")), "InvalidRequest", "{name}");
        }
        let kind = [
            ("x-amz-checksum-type", "FULL_OBJECT"),
            ("x-amz-checksum-mode", "ENABLED"),
        ];
        assert!(checked(&kind, b"").is_ok());
    }

    #[test]
    fn what_comes_after_the_body_counts_as_what_comes_before() {
        let announced = headers(&[("x-amz-trailer", "x-amz-checksum-crc32")]);
        for (value, expected) in [
            (Some("y/Q5Jg=="), None),
            (Some("y/Q5JQ=="), Some("BadDigest")),
            (None, Some("MalformedTrailerError")),
        ] {
            let trailers = Trailers::new();
            let mut checks = Checks::of(&announced, trailers.clone(), None).unwrap();
            checks.update(b"123456789");
            if let Some(value) = value {
                trailers.put(headers(&[("x-amz-checksum-crc32", value)]));
            }
            let failed = checks
                .finish()
                .err()
                .map(|error| error.code().as_str().to_owned());
            assert_eq!(failed.as_deref(), expected);
        }
    }

    #[test]
    fn the_checksum_of_a_whole_follows_from_its_parts() {
        let parts: [&[u8]; 4] = [b"1234", b"56789", b"", b"and more of it"];
        let whole = parts.concat();
        for algorithm in Algorithm::ALL.into_iter().filter(|algorithm| algorithm.is_crc()) {
            let sums: Vec<PartSum> = parts
                .iter()
                .map(|part| PartSum {
                    value: algorithm.of(part),
                    size: part.len() as u64,
                })
                .collect();
            assert_eq!(
                of_parts(algorithm, false, &sums),
                algorithm.of(&whole),
                "{algorithm:?}"
            );
            let values: Vec<u8> = sums.iter().flat_map(|sum| sum.value.clone()).collect();
            assert_eq!(
                of_parts(algorithm, true, &sums),
                algorithm.of(&values),
                "{algorithm:?}"
            );
        }
    }
}
