//! Whether a record is in the log that moho publishes.

use aws_lc_rs::digest;
use moho_attest::log::{InclusionProof, NoteKey, TreeHash, Trust, UnsignedCheckpoint};

use super::told::{Proof, Record};
use crate::cli::{Exit, Failure};

/// Whose checkpoints are believed.
pub(super) struct Believed(Trust);

impl Believed {
    /// Those of the log with this key.
    pub(super) fn new(key: &str) -> Result<Self, Failure> {
        let key: NoteKey = key.trim().parse().map_err(|error| {
            Failure::new(Exit::Usage, anyhow::anyhow!("this is no key of a log: {error}"))
        })?;
        Ok(Self(Trust {
            origin: key.name().clone(),
            log: vec![key],
            witnesses: Vec::new(),
            needed: 0,
        }))
    }

    /// Checks that a record is what it says it is, and in the log.
    pub(super) fn check(&self, record: &Record) -> Result<(), Failure> {
        let unproven = |why: &str| {
            let number = record.said.sequence;
            Failure::new(
                Exit::Damaged,
                anyhow::anyhow!("record {number} is not proven: {why}"),
            )
        };
        let proof = record
            .proof
            .as_ref()
            .ok_or_else(|| unproven("moho gave no proof"))?;
        self.proven(record, proof).map_err(unproven)
    }

    fn proven(&self, record: &Record, proof: &Proof) -> Result<(), &'static str> {
        let digest = &record.said.digest;
        // Of what is shown in part only the digest can be held to the log: it is of the whole.
        if !record.said.partial {
            is_digest_of(digest, record.line.get())?;
        }
        let checkpoint = UnsignedCheckpoint::read(proof.checkpoint.as_bytes())
            .and_then(|read| read.check(&self.0))
            .map_err(|_refused| "the checkpoint is not signed with the log's key")?;
        let signed = checkpoint.checkpoint();
        if proof.index.checked_add(1) != Some(record.said.sequence) {
            return Err("the proof is for another record");
        }
        let path = proof.hashes.iter().map(|hash| TreeHash::from_base64(hash));
        let path: Option<Vec<TreeHash>> = path.collect();
        let inclusion = InclusionProof {
            index: proof.index,
            size: signed.size,
            path: path.ok_or("the proof cannot be read")?,
        };
        inclusion
            .check(&TreeHash::of_entry(digest.as_bytes()), &signed.root)
            .map_err(|_refused| "the proof does not lead to the checkpoint")
    }
}

/// Whether a record is what its digest says.
fn is_digest_of(digest: &str, line: &str) -> Result<(), &'static str> {
    let body = line
        .strip_suffix("\"}")
        .and_then(|line| line.strip_suffix(digest))
        .and_then(|line| line.strip_suffix(",\"digest\":\""))
        .ok_or("it has no digest at its end")?;
    if hexadecimal(digest::digest(&digest::SHA256, body.as_bytes()).as_ref()) == digest {
        Ok(())
    } else {
        Err("its digest is another one")
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
