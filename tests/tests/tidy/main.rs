//! The house rules as plain tests: a rule without a test is a wish.
//!
//! Each rule collects every offence before it fails, so that one run tells all.

mod arrows;
mod documents;
mod manifests;
mod sources;
mod words;

/// Fails with every offence, one a line.
fn verdict(rule: &str, offences: &[String]) -> anyhow::Result<()> {
    if offences.is_empty() {
        return Ok(());
    }
    anyhow::bail!("{rule}:\n  {}", offences.join("\n  "))
}
