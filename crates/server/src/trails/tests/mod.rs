//! Events that somebody thought of, and looks at trails.

mod house;
mod looking;
mod redirecting;

use moho_audit::cloudtrail::record::{EventCategory, Record, UserIdentity, Which};
use moho_store::trails::{Trail, TrailBucket, TrailSettings};
use moho_terms::Timestamp;

use super::CallEvent;

pub(super) const OWN: &str = "123456789012";
pub(super) const OTHER: &str = "222222222222";

pub(super) fn event(position: u64, account: &str, source: &str) -> CallEvent {
    let which = Which {
        event_id: format!("11111111-2222-4333-8444-{position:012}"),
        time: Timestamp::from_unix_seconds(1_795_312_800),
        source: source.to_owned(),
        name: "CreateKey".to_owned(),
        region: "us-east-1".to_owned(),
        category: EventCategory::Management,
    };
    CallEvent {
        position,
        account: account.parse().unwrap(),
        record: Record::of_call(which, UserIdentity::of_service("x.amazonaws.com")),
    }
}

pub(super) fn bucket(name: &str, owner: &str) -> TrailBucket {
    TrailBucket {
        name: name.parse().unwrap(),
        owner: owner.parse().unwrap(),
    }
}

pub(super) fn trail() -> Trail {
    Trail {
        id: "one".to_owned(),
        account: OWN.parse().unwrap(),
        name: "one".to_owned(),
        home_region: "us-east-1".parse().unwrap(),
        settings: TrailSettings {
            bucket: bucket("logs", OWN),
            prefix: None,
            kms_key: None,
            multi_region: true,
            global_services: true,
            organization: None,
            validation: true,
        },
        selectors: None,
        logging: true,
        started_at: None,
        stopped_at: None,
    }
}
