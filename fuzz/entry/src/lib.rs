//! Fuzz targets: each a function of arbitrary bytes that asserts what must hold for all of them.
//!
//! That nothing panics is only the least of it: what was parsed and printed parses to the same again, a canonical form
//! does not depend on how it was written, no bytes pass for credentials. The same functions run under cargo-fuzz with
//! its coverage, and in `tests/corpus.rs` over the committed corpus and mutations of it.
#![forbid(unsafe_code)]

mod backup;
mod chunked;
mod cloudtrail;
mod credentials;
mod engine;
mod event_stream;
mod evidence;
mod guests;
mod head;
mod id_token;
mod identity;
mod json;
mod key_material;
mod log_events;
mod organizations;
mod policy;
mod prompts;
mod query;
mod root_key;
mod s3;
mod saml;
mod sealed;
mod settings;
mod sigv4;

pub use backup::backup_manifest;
pub use chunked::aws_chunked;
pub use cloudtrail::{cloudtrail, is_of_cloudtrail};
pub use credentials::{credentials, is_token_inside};
pub use engine::{chat_template, gguf};
pub use event_stream::event_stream;
pub use evidence::{
    appraisal_policy, attestation_document, attested_answer, is_appraisal_policy, is_attested_answer,
    is_tpm_evidence, tpm_evidence,
};
pub use guests::{is_snp_report, is_tdx_quote, snp_report, tdx_quote};
pub use head::http_head;
pub use id_token::id_token;
pub use identity::identity;
pub use json::{json_commands, json_is_taken};
pub use key_material::{is_key_material, key_material};
pub use log_events::{is_pattern, log_events};
pub use organizations::organizations;
pub use policy::policy;
pub use prompts::{is_prompt, prompts};
pub use query::query_forms;
pub use root_key::{is_root_key, root_key};
pub use s3::s3_requests;
pub use saml::saml_metadata;
pub use sealed::{ciphertext_blob, journal, key_record, sealed_object};
pub use settings::settings;
pub use sigv4::sigv4;

/// A fuzz target.
#[derive(Clone, Copy)]
pub struct Target {
    /// Its name, which is that of its folder in `fuzz/corpus` and of its file in `fuzz/fuzz_targets`.
    pub name: &'static str,
    /// What must hold for any bytes.
    pub run: fn(&[u8]),
    /// How many mutations of its corpus take about two seconds.
    pub rounds: u32,
}

/// Every target.
pub const TARGETS: &[Target] = &[
    target("appraisal_policy", appraisal_policy, 20_000),
    target("attestation_document", attestation_document, 20_000),
    target("attested_answer", attested_answer, 20_000),
    target("aws_chunked", aws_chunked, 20_000),
    target("backup_manifest", backup_manifest, 10_000),
    target("chat_template", chat_template, 600),
    target("ciphertext_blob", ciphertext_blob, 100_000),
    target("cloudtrail", cloudtrail, 20_000),
    target("credentials", credentials, 40_000),
    target("event_stream", event_stream, 20_000),
    target("gguf", gguf, 20_000),
    target("http_head", http_head, 4_000),
    target("id_token", id_token, 20_000),
    target("identity", identity, 100_000),
    target("journal", journal, 40_000),
    target("json_commands", json_commands, 6_000),
    target("key_material", key_material, 100_000),
    target("key_record", key_record, 20_000),
    target("log_events", log_events, 20_000),
    target("organizations", organizations, 20_000),
    target("policy", policy, 10_000),
    target("prompts", prompts, 6_000),
    target("query_forms", query_forms, 10_000),
    target("root_key", root_key, 100_000),
    target("s3_requests", s3_requests, 20_000),
    target("saml_metadata", saml_metadata, 20_000),
    target("sealed_object", sealed_object, 100_000),
    target("settings", settings, 20_000),
    target("sigv4", sigv4, 20_000),
    target("snp_report", snp_report, 40_000),
    target("tdx_quote", tdx_quote, 20_000),
    target("tpm_evidence", tpm_evidence, 20_000),
];

const fn target(name: &'static str, run: fn(&[u8]), rounds: u32) -> Target {
    Target { name, run, rounds }
}

/// The moment at which everything arrives: 22 November 2026, 02:00 UTC.
const NOW: u64 = 1_795_312_800;
/// The region of every rule.
const REGION: &str = "moho-local-1";

/// Text of bytes that need not be any.
fn text(bytes: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}
