//! What of a call's record is looked up by.

use moho_audit::PastCall;
use moho_audit::cloudtrail::record::{EventCategory, Record, Resource};
use moho_store::KeptEvent;
use moho_terms::{AccountId, Arn, Timestamp};

/// The events of a call that the history keeps: management events that are not too old, one for each account that is told.
pub(super) fn events(
    call: &PastCall,
    records: &[(AccountId, Record)],
    oldest: Timestamp,
) -> impl Iterator<Item = KeptEvent> {
    let kept = (0_u32..).zip(records);
    let kept = kept.filter(move |(_, (_, record))| {
        record.event_category == EventCategory::Management && record.event_time >= oldest
    });
    kept.map(|(place, (account, record))| KeptEvent {
        position: call.position,
        place,
        account: *account,
        time: record.event_time,
        event_id: record.event_id.clone(),
        source: record.event_source.clone(),
        name: record.event_name.clone(),
        read_only: record.read_only.unwrap_or_default(),
        user_name: user_name(record),
        access_key: record
            .user_identity
            .access_key_id
            .as_ref()
            .map(ToString::to_string),
        resources: record.resources.iter().flat_map(named).collect(),
        seal_id: call.event_id.to_string(),
        recipients: joined(call),
        sealed: call.sealed.clone(),
    })
}

/// All who are told, by whom the record is opened.
fn joined(call: &PastCall) -> String {
    let recipients: Vec<&str> = call.recipients.iter().map(AccountId::as_str).collect();
    recipients.join(",")
}

/// What CloudTrail calls the user: a user's name, or that of the role's session.
pub(crate) fn user_name(record: &Record) -> Option<String> {
    let identity = &record.user_identity;
    let of_session = || {
        let (_, name) = identity.arn.as_ref()?.resource().rsplit_once('/')?;
        Some(name.to_owned())
    };
    identity
        .user_name
        .clone()
        .or_else(of_session)
        .or_else(|| identity.invoked_by.clone())
}

/// By which names something is looked up: its ARN, and what stands last in that.
fn named(resource: &Resource) -> Vec<(String, String)> {
    let kind = resource.kind.clone().unwrap_or_default();
    let Some(arn) = &resource.arn else {
        return Vec::new();
    };
    let mut names = vec![(kind.clone(), arn.clone())];
    let short = arn.parse::<Arn>().ok().map(|arn| {
        let resource = arn.resource();
        resource
            .rsplit_once(['/', ':'])
            .map_or(resource, |(_, name)| name)
            .to_owned()
    });
    names.extend(
        short
            .filter(|short| !short.is_empty() && short != arn)
            .map(|short| (kind, short)),
    );
    names
}
