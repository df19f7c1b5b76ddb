//! Appraisal policies as files: JSON in which every value that is compared has to stand.

use moho_terms::hex;
use serde::Deserialize;

use super::appraisal::{AppraisalPolicy, BootReference, EnclaveReference, Freshness, References};
use super::claims::{EvidenceKind, Workload};
use super::registers::{Bank, BootDigest};
use crate::x509::TrustAnchors;

/// Longest file that is looked at, in bytes.
pub const LONGEST: usize = 256 * 1024;
/// Most references of one policy.
const REFERENCES: usize = 1024;
/// Most bytes of a nonce.
const NONCE: usize = 1024;

/// What a policy file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyFile {
    /// What evidence must be.
    pub policy: AppraisalPolicy,
    /// What the file trusts instead of the manufacturer's root, if it says.
    pub anchors: Option<TrustAnchors>,
}

/// A file that is no appraisal policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this is no appraisal policy: {why}")]
pub struct PolicyFileError {
    why: String,
}

fn wrong(why: impl Into<String>) -> PolicyFileError {
    PolicyFileError { why: why.into() }
}

#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
enum Written {
    NitroTpm {
        nonce: Option<String>,
        max_age_seconds: Option<u64>,
        trust_anchors: Option<String>,
        reference: Vec<WrittenBoot>,
    },
    Nitro {
        nonce: Option<String>,
        max_age_seconds: Option<u64>,
        trust_anchors: Option<String>,
        reference: Vec<WrittenEnclave>,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenBoot {
    pcr4: String,
    pcr7: String,
    pcr11: String,
    #[serde(default)]
    workload: WrittenWorkload,
}

#[derive(Deserialize, Default, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum WrittenWorkload {
    #[default]
    Unmeasured,
    Image,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenEnclave {
    pcr0: String,
    pcr1: String,
    pcr2: String,
}

impl PolicyFile {
    /// Reads a policy file.
    ///
    /// ```json
    /// {"kind": "nitrotpm", "max_age_seconds": 300,
    ///  "reference": [{"pcr4": "…96 digits", "pcr7": "…", "pcr11": "…", "workload": "image"}]}
    /// {"kind": "nitro", "nonce": "…hexadecimal", "reference": [{"pcr0": "…", "pcr1": "…", "pcr2": "…"}]}
    /// ```
    /// Registers 12 and 13 have no place in it: they must be zero. `trust_anchors` (PEM) stands for AWS's root.
    ///
    /// # Errors
    /// [`PolicyFileError`]: something is missing, unknown, or not a value of its kind; there is no reference; or neither or both of
    /// `nonce` and `max_age_seconds` are there.
    pub fn parse(json: &str) -> Result<Self, PolicyFileError> {
        if json.len() > LONGEST {
            return Err(wrong(format!("it has more than {LONGEST} bytes")));
        }
        let written: Written = serde_json::from_str(json).map_err(|error| wrong(error.to_string()))?;
        let (freshness, anchors, references) = match written {
            Written::NitroTpm {
                nonce,
                max_age_seconds,
                trust_anchors,
                reference,
            } => (
                freshness(nonce, max_age_seconds)?,
                trust_anchors,
                References::NitroTpm(all(&reference, boot)?),
            ),
            Written::Nitro {
                nonce,
                max_age_seconds,
                trust_anchors,
                reference,
            } => (
                freshness(nonce, max_age_seconds)?,
                trust_anchors,
                References::Nitro(all(&reference, enclave)?),
            ),
        };
        let anchors = anchors.map(|pem| TrustAnchors::from_pem(&pem)).transpose();
        Ok(Self {
            policy: AppraisalPolicy {
                freshness,
                references,
            },
            anchors: anchors.map_err(|error| wrong(error.to_string()))?,
        })
    }

    /// Which kind of evidence it is for.
    #[must_use]
    pub fn kind(&self) -> EvidenceKind {
        self.policy.references.kind()
    }
}

fn freshness(nonce: Option<String>, max_age_seconds: Option<u64>) -> Result<Freshness, PolicyFileError> {
    match (nonce, max_age_seconds) {
        (Some(nonce), None) => hex::decode_within(&nonce, NONCE)
            .filter(|nonce| !nonce.is_empty())
            .map(Freshness::Nonce)
            .ok_or_else(|| wrong("`nonce` is not lower-case hexadecimal of 1 to 1024 bytes")),
        (None, Some(seconds)) => Ok(Freshness::WithinSeconds(seconds)),
        (None, None) => Err(wrong(
            "it has neither `nonce` nor `max_age_seconds`: old evidence would pass",
        )),
        (Some(_), Some(_)) => Err(wrong("it has both `nonce` and `max_age_seconds`")),
    }
}

fn all<W, R>(written: &[W], read: fn(&W) -> Result<R, PolicyFileError>) -> Result<Vec<R>, PolicyFileError> {
    if written.is_empty() || written.len() > REFERENCES {
        return Err(wrong(format!("`reference` has not 1 to {REFERENCES} entries")));
    }
    written.iter().map(read).collect()
}

fn register(name: &str, digits: &str) -> Result<[u8; 48], PolicyFileError> {
    hex::decode(digits).ok_or_else(|| wrong(format!("`{name}` is not 96 lower-case hexadecimal digits")))
}

fn boot(written: &WrittenBoot) -> Result<BootReference, PolicyFileError> {
    let pcr4 = register("pcr4", &written.pcr4)?;
    let (pcr7, pcr11) = (
        register("pcr7", &written.pcr7)?,
        register("pcr11", &written.pcr11)?,
    );
    Ok(BootReference {
        digest: BootDigest::expected(Bank::Sha384, &pcr4, &pcr7, &pcr11).map_err(wrong)?,
        workload: match written.workload {
            WrittenWorkload::Unmeasured => Workload::Unmeasured,
            WrittenWorkload::Image => Workload::Image,
        },
    })
}

fn enclave(written: &WrittenEnclave) -> Result<EnclaveReference, PolicyFileError> {
    let image = [
        register("pcr0", &written.pcr0)?,
        register("pcr1", &written.pcr1)?,
        register("pcr2", &written.pcr2)?,
    ];
    if image.contains(&[0; 48]) {
        return Err(wrong("a register of zeros is of an enclave in debug mode"));
    }
    Ok(EnclaveReference { image })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn register(digit: &str) -> String {
        digit.repeat(96)
    }

    fn boot(members: &str) -> String {
        let (one, two) = (register("1"), register("2"));
        format!(
            r#"{{"kind":"nitrotpm",{members},"reference":[{{"pcr4":"{one}","pcr7":"{two}","pcr11":"{two}","workload":"image"}}]}}"#
        )
    }

    #[test]
    fn a_policy_names_boots_or_images_and_how_fresh_they_are() {
        let read = PolicyFile::parse(&boot(r#""max_age_seconds":300"#)).unwrap();
        assert_eq!(read.kind(), EvidenceKind::NitroTpm);
        assert_eq!(read.policy.freshness, Freshness::WithinSeconds(300));
        let digest = BootDigest::expected(Bank::Sha384, &[0x11; 48], &[0x22; 48], &[0x22; 48]).unwrap();
        let workload = Workload::Image;
        assert_eq!(
            read.policy.references,
            References::NitroTpm(vec![BootReference { digest, workload }])
        );
        let one = register("1");
        let enclave = format!(
            r#"{{"kind":"nitro","nonce":"00ff","reference":[{{"pcr0":"{one}","pcr1":"{one}","pcr2":"{one}"}}]}}"#
        );
        let read = PolicyFile::parse(&enclave).unwrap();
        assert_eq!(read.policy.freshness, Freshness::Nonce(vec![0, 0xff]));
        assert_eq!(read.kind(), EvidenceKind::Nitro);
    }

    #[test]
    fn keylime_1932_accept_all_ignores_reference() {
        for (policy, reason) in [
            (boot(r#""max_age_seconds":300,"accept_all":true"#), "accept_all"),
            (boot(r#""max_age_seconds":300,"pcr12":"00""#), "pcr12"),
            (boot(r#""nonce":"00","max_age_seconds":300"#), "both"),
            (boot(r#""nonce":"""#), "nonce"),
            (boot(r#""nonce":"0G""#), "nonce"),
            (boot(r#""trust_anchors":"","nonce":"00""#), "certificate"),
            (
                r#"{"kind":"nitrotpm","nonce":"00","reference":[]}"#.to_owned(),
                "reference",
            ),
            (r#"{"kind":"nitrotpm","nonce":"00"}"#.to_owned(), "reference"),
            (r#"{"kind":"any","nonce":"00","reference":[]}"#.to_owned(), "any"),
            (
                boot(r#""nonce":"00""#).replace(r#""pcr11""#, r#""pcr10""#),
                "pcr10",
            ),
            (
                boot(r#""nonce":"00""#).replace(&register("1"), &register("0")),
                "PCR4",
            ),
            (boot(r#""nonce":"00""#).replace(&register("2"), "22"), "pcr7"),
            (boot(r#""nonce":null"#), "neither"),
            (String::new(), "EOF"),
        ] {
            let error = PolicyFile::parse(&policy).unwrap_err().to_string();
            assert!(error.contains(reason), "{error} instead of {reason}");
        }
    }

    #[test]
    fn zero_config_id_accepted() {
        let (zero, one) = (register("0"), register("1"));
        for registers in [[&zero, &one, &one], [&one, &zero, &one], [&one, &one, &zero]] {
            let [pcr0, pcr1, pcr2] = registers;
            let enclave = format!(
                r#"{{"kind":"nitro","nonce":"00","reference":[{{"pcr0":"{pcr0}","pcr1":"{pcr1}","pcr2":"{pcr2}"}}]}}"#
            );
            assert!(
                PolicyFile::parse(&enclave)
                    .unwrap_err()
                    .to_string()
                    .contains("debug")
            );
        }
    }
}
