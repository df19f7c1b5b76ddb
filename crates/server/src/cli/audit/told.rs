//! What `GET /v1/audit/records` says, as it is read here.

use serde::Deserialize;
use serde_json::value::RawValue;

/// A page of records.
#[derive(Deserialize)]
pub(super) struct Page {
    pub(super) data: Vec<Record>,
    pub(super) next: Option<u64>,
    pub(super) size: u64,
}

/// A record, as it stands in the journal, and what came with it.
#[derive(Deserialize)]
#[serde(from = "Item")]
pub(super) struct Record {
    /// The line, without its break.
    pub(super) line: Box<RawValue>,
    /// What it says, as far as it is shown.
    pub(super) said: Line,
    /// CloudTrail's record of the call.
    pub(super) cloudtrail: Option<CloudTrail>,
    pub(super) proof: Option<Proof>,
}

#[derive(Deserialize)]
struct Item {
    record: Box<RawValue>,
    cloudtrail: Option<CloudTrail>,
    proof: Option<Proof>,
}

impl Record {
    /// What a proof that came with it, and was checked, has proven.
    pub(super) fn proven(&self) -> Option<&'static str> {
        let of = if self.said.partial {
            "digest proven"
        } else {
            "proven"
        };
        self.proof.as_ref().map(|_checked| of)
    }
}

impl From<Item> for Record {
    fn from(item: Item) -> Self {
        let said = serde_json::from_str(item.record.get()).unwrap_or_default();
        Self {
            line: item.record,
            said,
            cloudtrail: item.cloudtrail,
            proof: item.proof,
        }
    }
}

/// A proof that a record is in the log.
#[derive(Deserialize)]
pub(super) struct Proof {
    pub(super) index: u64,
    pub(super) hashes: Vec<String>,
    pub(super) checkpoint: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Line {
    pub(super) sequence: u64,
    pub(super) entry: Entry,
    pub(super) digest: String,
    /// Whether not all of it is shown.
    pub(super) partial: bool,
}

/// A decision or an event.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Entry {
    pub(super) time: String,
    pub(super) request_id: String,
    pub(super) kind: Option<String>,
    pub(super) outcome: Option<String>,
    pub(super) reason: Option<String>,
    pub(super) principal: Option<String>,
    pub(super) action: Option<String>,
    pub(super) resource: Option<String>,
    pub(super) policy: Option<String>,
    pub(super) statement: Option<String>,
    pub(super) source_ip: Option<String>,
    pub(super) via_service: Option<String>,
    pub(super) event: Option<String>,
    pub(super) source: Option<String>,
    pub(super) identity: Identity,
    pub(super) origin: Origin,
    pub(super) subject: Subject,
    pub(super) answer: Answer,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Identity {
    pub(super) principal: Option<String>,
    pub(super) principal_id: Option<String>,
    pub(super) invoked_by: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Origin {
    pub(super) source_ip: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Subject {
    pub(super) bucket: Option<String>,
    pub(super) key: Option<String>,
    pub(super) resource: Option<String>,
    pub(super) resources: Vec<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Answer {
    pub(super) status: Option<u16>,
    pub(super) error_code: Option<String>,
}

/// What CloudTrail's record has beside.
#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct CloudTrail {
    pub(super) user_agent: Option<String>,
    pub(super) error_message: Option<String>,
    pub(super) request_parameters: Option<Box<RawValue>>,
    pub(super) additional_event_data: Option<Additional>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Additional {
    pub(super) denial: Option<Denial>,
}

/// Why a call was denied.
#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Denial {
    pub(super) matched_statements: Items,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Items {
    pub(super) items: Vec<Box<RawValue>>,
}

impl Entry {
    /// Who did it.
    pub(super) fn who(&self) -> &str {
        let who = [
            &self.principal,
            &self.identity.principal,
            &self.identity.invoked_by,
            &self.identity.principal_id,
        ];
        who.into_iter().flatten().next().map_or("", String::as_str)
    }

    /// What was done.
    pub(super) fn what(&self) -> String {
        if let Some(action) = &self.action {
            return action.clone();
        }
        let event = self.event.clone().unwrap_or_default();
        let service = self.source.as_deref().and_then(|source| source.split('.').next());
        service.map_or_else(|| event.clone(), |service| format!("{service}:{event}"))
    }

    /// How it came out.
    pub(super) fn outcome(&self) -> &str {
        self.outcome
            .as_deref()
            .or(self.kind.as_deref())
            .unwrap_or_default()
    }

    /// On what.
    pub(super) fn on(&self) -> String {
        let subject = &self.subject;
        let named = [&self.resource, &subject.resource].into_iter().flatten().next();
        if let Some(named) = named.or_else(|| subject.resources.first()) {
            return named.clone();
        }
        match (&subject.bucket, &subject.key) {
            (Some(bucket), Some(key)) => format!("arn:aws:s3:::{bucket}/{key}"),
            (Some(bucket), None) => format!("arn:aws:s3:::{bucket}"),
            (None, _) => String::new(),
        }
    }

    /// Why, or with which status.
    pub(super) fn why(&self) -> String {
        if let Some(reason) = &self.reason {
            let by = self.policy.as_ref().map(|policy| {
                let statement = self.statement.as_deref().unwrap_or_default();
                format!(" by {policy} {statement}")
            });
            return format!("{reason}{}", by.unwrap_or_default());
        }
        let status = self.answer.status.map(|status| status.to_string());
        let code = self.answer.error_code.clone();
        [status, code].into_iter().flatten().collect::<Vec<_>>().join(" ")
    }

    /// Whence.
    pub(super) fn whence(&self) -> &str {
        let address = self.source_ip.as_deref().or(self.origin.source_ip.as_deref());
        address.unwrap_or("-")
    }
}
