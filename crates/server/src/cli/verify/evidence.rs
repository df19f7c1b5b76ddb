//! `moho verify evidence`: whether evidence is genuine, fresh, and what a policy names.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use moho_attest::TrustAnchors;
use moho_attest::evidence::{
    AppraisalPolicy, Claims, EvidenceKind, LONGEST_POLICY, PolicyFile, Refusal, aws_nitro_roots, nitro,
};
use moho_terms::{Clock as _, Timestamp, hex};
use serde::Serialize;

use super::super::{Exit, Failure, say};
use super::usage;
use crate::system::SystemClock;

pub(super) fn command() -> Command {
    Command::new("evidence")
        .about("Checks what a platform says of itself and of what runs on it")
        .long_about(
            "Checks evidence: its form, its algorithms, the chain of certificates up to the manufacturer's root, the signature, that it \
             is of nothing in debug mode; and, with --policy, that it is fresh and of what the policy names. Without a policy only the \
             first half is known: that this hardware said this of something, at some time.\n\nNothing is asked of any server. It ends \
             with 0 if the evidence is accepted, with 1 and the reason (which check, of which part, what was found) if it is refused, \
             and with 2 if it was asked wrongly.\n\nKinds: nitro (a Nitro Enclave's attestation document) and nitrotpm (an EC2 instance's), \
             one file each.",
        )
        .arg(
            Arg::new("file")
                .value_name("FILE")
                .required(true)
                .value_parser(value_parser!(PathBuf))
                .help("The evidence, as it came from the platform"),
        )
        .arg(
            Arg::new("kind")
                .long("kind")
                .value_name("KIND")
                .required(true)
                .value_parser(EvidenceKind::ALL.map(EvidenceKind::name))
                .help("Which kind of evidence"),
        )
        .arg(
            Arg::new("time")
                .long("time")
                .value_name("RFC3339")
                .value_parser(|text: &str| Timestamp::parse_rfc3339(text))
                .help("Verifies as of this time, such as 2026-11-24T12:00:00Z [default: now]"),
        )
        .arg(
            Arg::new("policy")
                .long("policy")
                .value_name("FILE")
                .value_parser(value_parser!(PathBuf))
                .help("What the evidence must be: an appraisal policy in JSON (docs/attestation.md)"),
        )
        .arg(
            Arg::new("json")
                .long("json")
                .action(ArgAction::SetTrue)
                .help("Says it as JSON"),
        )
}

/// What is asked.
struct Asked {
    kind: EvidenceKind,
    evidence: Vec<u8>,
    now: Timestamp,
    anchors: TrustAnchors,
    policy: Option<AppraisalPolicy>,
}

impl Asked {
    fn read(asked: &ArgMatches) -> Result<Self, anyhow::Error> {
        let kind = asked.get_one::<String>("kind");
        let kind = kind.and_then(|name| EvidenceKind::from_name(name));
        let kind = kind.context("name the kind of evidence with --kind")?;
        let file = asked
            .get_one::<PathBuf>("file")
            .context("name the file of the evidence")?;
        let policy = asked.get_one::<PathBuf>("policy").map(|path| policy(path, kind));
        let (policy, anchors) = match policy.transpose()? {
            Some(file) => (Some(file.policy), file.anchors),
            None => (None, None),
        };
        Ok(Self {
            kind,
            evidence: read(file, nitro::LONGEST)?,
            now: asked
                .get_one("time")
                .copied()
                .unwrap_or_else(|| SystemClock.now()),
            anchors: anchors.map_or_else(aws_nitro_roots, Ok)?,
            policy,
        })
    }

    /// Verified against the policy, or genuine if there is none.
    fn verify(&self) -> Result<Claims, Refusal> {
        let genuine = nitro::verify_kind(&self.evidence, self.kind, &self.anchors, self.now)?;
        match &self.policy {
            Some(policy) => genuine
                .appraise(policy, self.now)
                .map(|verified| verified.into_claims()),
            None => Ok(genuine.claims().clone()),
        }
    }
}

fn policy(path: &Path, kind: EvidenceKind) -> Result<PolicyFile, anyhow::Error> {
    let text = String::from_utf8(read(path, LONGEST_POLICY)?);
    let text = text.with_context(|| format!("{} is not text", path.display()))?;
    let file = PolicyFile::parse(&text).with_context(|| format!("{} cannot be used", path.display()))?;
    if file.kind() != kind {
        let (for_, asked) = (file.kind().name(), kind.name());
        anyhow::bail!(
            "{} is a policy for {for_}, and the evidence is of kind {asked}",
            path.display()
        );
    }
    Ok(file)
}

/// A file, of which no more is read than could be looked at.
fn read(path: &Path, most: usize) -> Result<Vec<u8>, anyhow::Error> {
    let name = || format!("cannot read {}", path.display());
    let file = std::fs::File::open(path).with_context(name)?;
    let mut bytes = Vec::new();
    let most = u64::try_from(most)?.saturating_add(1);
    file.take(most).read_to_end(&mut bytes).with_context(name)?;
    Ok(bytes)
}

pub(super) fn run(asked: &ArgMatches) -> Result<(), Failure> {
    let json = asked.get_flag("json");
    let asked = Asked::read(asked).map_err(usage)?;
    let verified = asked.verify();
    let told = Told::of(&asked, &verified);
    if json {
        say(&serde_json::to_string(&told).map_err(|error| Failure::new(Exit::Failed, error))?)?;
    } else if verified.is_ok() {
        say(&told.in_words())?;
    }
    verified
        .map(drop)
        .map_err(|refusal| Failure::new(Exit::Failed, refusal))
}

/// As JSON.
#[derive(Serialize)]
struct Told<'a> {
    accepted: bool,
    kind: &'static str,
    /// Whether a policy was given, and so whether anything is known of what runs.
    appraised: bool,
    time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<ToldRefusal<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    claims: Option<ToldClaims<'a>>,
}

#[derive(Serialize)]
struct ToldRefusal<'a> {
    check: &'static str,
    part: String,
    found: &'a str,
}

#[derive(Serialize)]
struct ToldClaims<'a> {
    platform: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    issued_at: Option<String>,
    workload: &'static str,
    registers: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nonce: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_data: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    public_key: Option<String>,
}

impl<'a> Told<'a> {
    fn of(asked: &Asked, verified: &'a Result<Claims, Refusal>) -> Self {
        Self {
            accepted: verified.is_ok(),
            kind: asked.kind.name(),
            appraised: asked.policy.is_some(),
            time: asked.now.to_string(),
            refusal: verified.as_ref().err().map(|refusal| ToldRefusal {
                check: refusal.check().name(),
                part: refusal.part().to_string(),
                found: refusal.found(),
            }),
            claims: verified.as_ref().ok().map(ToldClaims::of),
        }
    }

    fn in_words(&self) -> String {
        let mut lines = Vec::new();
        if self.appraised {
            lines.push(format!(
                "accepted: evidence of kind {}, as the policy asks for",
                self.kind
            ));
        } else {
            lines.push(format!(
                "accepted: genuine evidence of kind {}. No policy was given: nothing is said of what runs, nor of how old this is",
                self.kind
            ));
        }
        let Some(claims) = &self.claims else {
            return lines.concat();
        };
        lines.push(format!("platform    {}", claims.platform));
        lines.extend(claims.issued_at.iter().map(|time| format!("issued at   {time}")));
        lines.push(format!("workload    {}", claims.workload));
        for (name, value) in [
            ("nonce", &claims.nonce),
            ("user data", &claims.user_data),
            ("public key", &claims.public_key),
        ] {
            lines.extend(value.iter().map(|value| format!("{name:<11} {value}")));
        }
        let registers = claims.registers.iter();
        lines.extend(registers.map(|(name, value)| format!("{name:<11} {value}")));
        lines.join("\n")
    }
}

impl<'a> ToldClaims<'a> {
    fn of(claims: &'a Claims) -> Self {
        let registers = claims.registers.iter().flat_map(|registers| registers.iter());
        let text = |bytes: &Option<Vec<u8>>| bytes.as_ref().map(|bytes| hex::encode(bytes));
        Self {
            platform: &claims.platform,
            issued_at: claims.issued_at.map(|time| time.to_string()),
            workload: claims.workload.name(),
            registers: registers
                .map(|(index, value)| (format!("PCR{index:02}"), hex::encode(value)))
                .collect(),
            nonce: text(&claims.nonce),
            user_data: text(&claims.user_data),
            public_key: text(&claims.public_key),
        }
    }
}
