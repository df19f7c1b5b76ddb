//! The journal as a transparency log, open to all: its checkpoint, its key, its tiles (C2SP tlog-tiles) and proofs.
//!
//! The log's entries are digests of records, so all of it may be read by anybody, and says of what happens here only how much it
//! is. Everything is read from a few pages of small files, which are hot where they are asked for: no request waits for the disk
//! longer than it takes to open a connection.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Method, StatusCode};
use moho_attest::log::{InclusionProof, Tile, TreeHash};
use moho_audit::{AuditError, Published, TransparencyLog};
use moho_iam::authz::Position;
use serde::Serialize;

use super::failure::chain;
use crate::net::{Body, Head, Outbound};
use crate::startup::Platform;

/// What its paths begin with. Monitors are given this as the log's address.
pub(crate) const PREFIX: &str = "/v1/log/";

/// A path of the log's, as telemetry names it.
type Template = &'static str;

/// The answer to a request for the log, and its route; `None` if the request is for something else.
pub(super) fn answer(head: &Head, platform: &Platform) -> Option<(Template, Outbound)> {
    let asked = head.raw_path.strip_prefix(PREFIX)?;
    if !matches!(head.method, Method::GET | Method::HEAD) {
        return None;
    }
    let (template, found) = find(asked, &head.raw_query, platform.journal_file.log())?;
    let answer = found.unwrap_or_else(|error| {
        tracing::error!(error = %chain(&error), "the log cannot be read");
        Some(Answer::unavailable())
    });
    Some((template, answer.unwrap_or_else(Answer::absent).outbound()))
}

fn find(
    asked: &str,
    query: &str,
    log: &TransparencyLog,
) -> Option<(Template, Result<Option<Answer>, AuditError>)> {
    let number = |name: &str| {
        let value = query.strip_prefix(name)?.strip_prefix('=')?;
        value
            .parse()
            .ok()
            .filter(|number: &u64| number.to_string() == value)
    };
    Some(match asked {
        "checkpoint" => ("/v1/log/checkpoint", Ok(Some(checkpoint(log)))),
        "key" => ("/v1/log/key", Ok(Some(key(log)))),
        "inclusion" => (
            "/v1/log/inclusion",
            number("position").map_or(Ok(None), |at| inclusion(log, at)),
        ),
        "consistency" => (
            "/v1/log/consistency",
            number("old").map_or(Ok(None), |old| consistency(log, old)),
        ),
        tile => (
            "/v1/log/tile/{level}/{index}",
            tile.parse().map_or(Ok(None), |tile| tile_of(log, &tile)),
        ),
    })
}

struct Answer {
    status: StatusCode,
    content_type: &'static str,
    caching: &'static str,
    body: Vec<u8>,
}

impl Answer {
    /// What may be another one the next time.
    fn now(content_type: &'static str, body: Vec<u8>) -> Self {
        Self {
            status: StatusCode::OK,
            content_type,
            caching: "no-cache",
            body,
        }
    }

    fn absent() -> Self {
        let body =
            b"There is no such thing in the log: ask for what its checkpoint says that there is.\n".to_vec();
        Self {
            status: StatusCode::NOT_FOUND,
            ..Self::now("text/plain; charset=utf-8", body)
        }
    }

    fn unavailable() -> Self {
        Self {
            status: StatusCode::SERVICE_UNAVAILABLE,
            ..Self::now("text/plain; charset=utf-8", b"The log cannot be read.\n".to_vec())
        }
    }

    fn outbound(self) -> Outbound {
        Outbound {
            status: self.status,
            headers: vec![
                (CONTENT_TYPE, HeaderValue::from_static(self.content_type)),
                (CACHE_CONTROL, HeaderValue::from_static(self.caching)),
            ],
            body: Body::Full(Bytes::from(self.body)),
            told: None,
        }
    }
}

fn checkpoint(log: &TransparencyLog) -> Answer {
    Answer::now(
        "text/plain; charset=utf-8",
        log.checkpoint().note.clone().into_bytes(),
    )
}

/// The key that checkpoints are signed with, as verifiers are given it: `NAME+ID+KEY`.
fn key(log: &TransparencyLog) -> Answer {
    let keys = log.trust().log;
    let lines = keys.iter().map(|key| format!("{key}\n"));
    Answer::now(
        "text/plain; charset=utf-8",
        lines.collect::<String>().into_bytes(),
    )
}

fn tile_of(log: &TransparencyLog, tile: &Tile) -> Result<Option<Answer>, AuditError> {
    let found = log.tile(tile)?;
    Ok(found.map(|body| Answer {
        caching: "public, max-age=31536000, immutable",
        ..Answer::now("application/octet-stream", body)
    }))
}

/// A proof, as JSON: hashes in base64, sizes as numbers, and the checkpoint that it leads to.
#[derive(Serialize)]
struct Proof<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    entry_hash: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    old: Option<u64>,
    size: u64,
    path: Vec<String>,
    checkpoint: &'a str,
}

impl<'a> Proof<'a> {
    fn of(path: &[TreeHash], published: &'a Published) -> Self {
        Self {
            index: None,
            entry_hash: None,
            old: None,
            size: published.checkpoint.size,
            path: path.iter().map(TreeHash::to_base64).collect(),
            checkpoint: &published.note,
        }
    }

    fn answer(&self) -> Option<Answer> {
        let mut body = serde_json::to_vec(self).ok()?;
        body.push(b'\n');
        Some(Answer::now("application/json", body))
    }
}

fn inclusion(log: &TransparencyLog, position: u64) -> Result<Option<Answer>, AuditError> {
    let Some(proven) = log.inclusion(Position(position))? else {
        return Ok(None);
    };
    let InclusionProof { index, path, .. } = &proven.proof;
    let proof = Proof {
        index: Some(*index),
        entry_hash: Some(proven.entry.to_base64()),
        ..Proof::of(path, &proven.checkpoint)
    };
    Ok(proof.answer())
}

fn consistency(log: &TransparencyLog, old: u64) -> Result<Option<Answer>, AuditError> {
    let Some((proof, published)) = log.consistency(old)? else {
        return Ok(None);
    };
    let proof = Proof {
        old: Some(old),
        ..Proof::of(&proof.path, &published)
    };
    Ok(proof.answer())
}
