//! Records as lines: for people, for programs, for spreadsheets.

use clap::ValueEnum;

use super::told::Record;

/// How records are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(super) enum Format {
    /// A line each, in columns.
    #[default]
    Table,
    /// A JSON object each, one a line: the record as the journal has it, and its proof.
    Json,
    /// Comma-separated values (RFC 4180), with a line of names.
    Csv,
}

/// The columns.
const NAMES: [&str; 10] = [
    "position",
    "time",
    "outcome",
    "principal",
    "action",
    "resource",
    "why",
    "source_ip",
    "request_id",
    "digest",
];

impl Format {
    /// What stands before the first record.
    pub(super) fn begin(self) -> Option<String> {
        match self {
            Self::Table => Some(format!(
                "{:>9}  {:20}  {:15}  {:40}  {:32}  WHAT IT IS ABOUT, WHY",
                "POSITION", "TIME", "OUTCOME", "PRINCIPAL", "ACTION"
            )),
            Self::Json => None,
            Self::Csv => Some(NAMES.join(",")),
        }
    }

    /// A record as a line.
    pub(super) fn line(self, record: &Record) -> String {
        match self {
            Self::Table => row(record),
            Self::Json => json(record),
            Self::Csv => columns(record).map(|value| quoted(&value)).join(","),
        }
    }
}

fn row(record: &Record) -> String {
    let entry = &record.said.entry;
    let who = clean(short(entry.who()));
    let proven = record.proven().map(|proven| format!("  {proven}"));
    format!(
        "{:>9}  {:20}  {:15}  {:40}  {:32}  {}  {}{}",
        record.said.sequence,
        clean(&entry.time),
        clean(entry.outcome()),
        who,
        clean(&entry.what()),
        clean(&entry.on()),
        clean(&entry.why()),
        proven.unwrap_or_default(),
    )
}

/// The part of a principal's ARN that tells it from others: what stands behind the account.
fn short(arn: &str) -> &str {
    if arn.is_empty() {
        return "-";
    }
    arn.splitn(6, ':').nth(5).unwrap_or(arn)
}

fn json(record: &Record) -> String {
    let proof = record.proof.as_ref().map(|proof| {
        let hashes: Vec<String> = proof.hashes.iter().map(|hash| text(hash)).collect();
        format!(
            ",\"proof\":{{\"index\":{},\"hashes\":[{}],\"checkpoint\":{}}}",
            proof.index,
            hashes.join(","),
            text(&proof.checkpoint)
        )
    });
    format!(
        "{{\"record\":{}{}}}",
        record.line.get(),
        proof.unwrap_or_default()
    )
}

fn text(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_default()
}

fn columns(record: &Record) -> [String; 10] {
    let entry = &record.said.entry;
    [
        record.said.sequence.to_string(),
        entry.time.clone(),
        entry.outcome().to_owned(),
        entry.who().to_owned(),
        entry.what(),
        entry.on(),
        entry.why(),
        entry.whence().to_owned(),
        entry.request_id.clone(),
        record.said.digest.clone(),
    ]
}

/// A value as RFC 4180 has it. What a spreadsheet would take for a formula is told as text.
fn quoted(value: &str) -> String {
    let formula = value.starts_with(['=', '+', '-', '@', '\t', '\r']) && value.len() > 1;
    let value = if formula {
        format!("'{value}")
    } else {
        value.to_owned()
    };
    if value.contains([',', '"', '\n', '\r']) {
        return format!("\"{}\"", value.replace('"', "\"\""));
    }
    value
}

/// Text that does nothing to a terminal.
pub(super) fn clean(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stay_values_whatever_reads_them() {
        assert_eq!(quoted("plain"), "plain");
        assert_eq!(quoted("a,b"), "\"a,b\"");
        assert_eq!(quoted("say \"hi\""), "\"say \"\"hi\"\"\"");
        assert_eq!(quoted("=1+1"), "'=1+1");
        assert_eq!(quoted("-"), "-");
        assert_eq!(clean("a\u{1b}[31mb"), "a\u{fffd}[31mb");
    }

    #[test]
    fn records_are_shown_in_three_ways() {
        let page = r#"{"record":{"sequence":7,"previous":"x","entry":{"time":"2026-11-23T10:00:00Z","request_id":"r","outcome":"deny","reason":"explicit-deny/identity","principal":"arn:aws:sts::111111111111:assumed-role/A/b","action":"kms:Decrypt","resource":"arn:aws:kms:eu:1:key/k","policy":"role/A/own","statement":"No"},"digest":"d"}}"#;
        let record: Record = serde_json::from_str(page).unwrap();
        let row = Format::Table.line(&record);
        for part in [
            "7",
            "2026-11-23T10:00:00Z",
            "deny",
            "assumed-role/A/b",
            "kms:Decrypt",
            "explicit-deny/identity by role/A/own No",
        ] {
            assert!(row.contains(part), "{row}");
        }
        assert_eq!(Format::Json.line(&record), page);
        assert_eq!(
            Format::Csv.line(&record),
            "7,2026-11-23T10:00:00Z,deny,arn:aws:sts::111111111111:assumed-role/A/b,kms:Decrypt,arn:aws:kms:eu:1:key/k,\
             explicit-deny/identity by role/A/own No,'-,r,d"
                .replace("'-", "-")
        );
    }
}
