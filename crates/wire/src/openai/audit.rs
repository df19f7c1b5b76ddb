//! `GET /audit/records`: what the journal has, record by record, for whoever may read it. moho's own, in the manner of OpenAI's
//! lists.

use moho_terms::{ContentBytes, Timestamp};

use super::fields::invalid;
use crate::Failure;
use crate::json::Writer;
use crate::query::Query;

/// Records in one page if nobody says, and at most.
const SIZES: (usize, usize) = (100, 1000);
/// What a text that is looked for has at most.
const LONGEST: usize = 2048;

/// Which records are asked for. What is `None` does not matter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListRecords {
    /// At most so many.
    pub limit: usize,
    /// Behind the record of this number.
    pub after: Option<u64>,
    /// Before the record of this number.
    pub before: Option<u64>,
    /// Whether the newest come first.
    pub newest_first: bool,
    /// Whose ARN has this in it.
    pub principal: Option<String>,
    /// On what; its ARN has this in it.
    pub resource: Option<String>,
    /// Which action or operation.
    pub action: Option<String>,
    /// How it was decided, or what kind of event it is.
    pub outcome: Option<String>,
    /// In which request.
    pub request: Option<String>,
    /// Not before.
    pub from: Option<Timestamp>,
    /// Not after.
    pub to: Option<Timestamp>,
    /// Whether each comes with the proof that it is in the log.
    pub proof: bool,
    /// Whether calls come with CloudTrail's records of them, opened.
    pub details: bool,
}

/// The proof that a record is in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordProof {
    /// Its place, from 0.
    pub index: u64,
    /// Hashes from the leaf up, in base64.
    pub hashes: Vec<String>,
    /// The checkpoint that they lead to: a signed note.
    pub checkpoint: String,
}

/// A record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordItem {
    /// Its line in the journal, without the line break: a JSON object.
    pub line: Vec<u8>,
    /// CloudTrail's record, a JSON object.
    pub cloudtrail: Option<String>,
    /// The proof.
    pub proof: Option<RecordProof>,
}

/// A page of records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordPage {
    /// The records.
    pub records: Vec<RecordItem>,
    /// From where on there may be more: `after`, or `before` if the newest come first.
    pub next: Option<u64>,
    /// How many records the journal has, as far as it is published.
    pub size: u64,
}

impl ListRecords {
    /// Reads the query of a request.
    ///
    /// # Errors
    /// [`Failure::Invalid`] naming the parameter.
    pub fn parse(raw_query: &str) -> Result<Self, Failure> {
        let query = Query::of_url(raw_query)?;
        let (usual, most) = SIZES;
        let limit = match query.get("limit").map(str::parse) {
            None => usual,
            Some(Ok(limit)) if (1..=most).contains(&limit) => limit,
            Some(_) => return Err(wrong("limit", "a number from 1 to 1000")),
        };
        let number = |name: &'static str| match query.get(name).map(str::parse) {
            None => Ok(None),
            Some(Ok(number)) => Ok(Some(number)),
            Some(Err(_no_number)) => Err(wrong(name, "a number")),
        };
        let text = |name: &'static str| match query.get(name) {
            Some(text) if text.is_empty() || text.len() > LONGEST => Err(wrong(name, "1 to 2048 bytes")),
            other => Ok(other.map(str::to_owned)),
        };
        let flag = |name: &'static str| match query.get(name) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(wrong(name, "true or false")),
        };
        Ok(Self {
            limit,
            after: number("after")?,
            before: number("before")?,
            newest_first: match query.get("order") {
                None | Some("asc") => false,
                Some("desc") => true,
                Some(_) => return Err(wrong("order", "asc or desc")),
            },
            principal: text("principal")?,
            resource: text("resource")?,
            action: text("action")?,
            outcome: text("outcome")?,
            request: text("request_id")?,
            from: number("from")?.map(Timestamp::from_unix_seconds),
            to: number("to")?.map(Timestamp::from_unix_seconds),
            proof: flag("proof")?,
            details: flag("details")?,
        })
    }
}

fn wrong(name: &'static str, expected: &str) -> Failure {
    invalid(
        format!("Invalid '{name}': expected {expected}."),
        name,
        "invalid_value",
    )
}

impl RecordPage {
    /// The reply on the wire.
    #[must_use]
    pub fn reply(&self) -> ContentBytes {
        let mut w = Writer::new();
        w.object(|w| {
            w.text("object", "list");
            w.key("data")
                .array(|w| self.records.iter().for_each(|item| w.object(|w| item.write(w))));
            w.fixed("has_more", if self.next.is_some() { "true" } else { "false" });
            match self.next {
                Some(next) => w.number("next", next),
                None => w.fixed("next", "null"),
            }
            w.number("size", self.size);
        });
        w.finish()
    }
}

impl RecordItem {
    fn write(&self, w: &mut Writer) {
        w.text("object", "moho.audit_record");
        w.key("record").raw(&self.line);
        if let Some(cloudtrail) = &self.cloudtrail {
            w.key("cloudtrail").raw(cloudtrail.as_bytes());
        }
        if let Some(proof) = &self.proof {
            w.key("proof").object(|w| {
                w.number("index", proof.index);
                w.key("hashes")
                    .array(|w| proof.hashes.iter().for_each(|hash| w.string(hash)));
                w.text("checkpoint", &proof.checkpoint);
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_read_or_the_wrong_one_is_named() {
        let asked =
            ListRecords::parse("limit=7&after=3&order=desc&action=kms%3A*&from=10&proof=true").unwrap();
        assert_eq!((asked.limit, asked.after, asked.newest_first), (7, Some(3), true));
        assert_eq!(
            (asked.action.as_deref(), asked.proof, asked.details),
            (Some("kms:*"), true, false)
        );
        assert_eq!(asked.from, Some(Timestamp::from_unix_seconds(10)));
        for (query, param) in [
            ("limit=0", "limit"),
            ("limit=1001", "limit"),
            ("after=-1", "after"),
            ("before=x", "before"),
            ("order=up", "order"),
            ("principal=", "principal"),
            ("proof=yes", "proof"),
            ("to=1.5", "to"),
        ] {
            let refused = ListRecords::parse(query).unwrap_err();
            assert!(
                matches!(refused, Failure::Invalid { param: Some(ref named), .. } if named == param),
                "{query}"
            );
        }
    }

    #[test]
    fn a_page_is_written_with_the_lines_as_they_are() {
        let page = RecordPage {
            records: vec![RecordItem {
                line: br#"{"sequence":1}"#.to_vec(),
                cloudtrail: Some("{}".to_owned()),
                proof: Some(RecordProof {
                    index: 0,
                    hashes: vec!["AA==".to_owned()],
                    checkpoint: "note\n".to_owned(),
                }),
            }],
            next: None,
            size: 1,
        };
        let reply = String::from_utf8(page.reply().expose().to_vec()).unwrap();
        assert_eq!(
            reply,
            r#"{"object":"list","data":[{"object":"moho.audit_record","record":{"sequence":1},"cloudtrail":{},"proof":{"index":0,"hashes":["AA=="],"checkpoint":"note\n"}}],"has_more":false,"next":null,"size":1}"#
        );
    }
}
