//! How a record becomes as short as AWS's: fields have their own limits, and so has the whole.
//!
//! Documented are the limits of fields ("CloudTrail record contents"), and that what is larger is cut (texts) or omitted
//! (objects) with `omitted` in its place. Chosen, as AWS is silent: which fields go if each is within its limit and the record
//! is not. Those that say least of who did what go first, and of the resources the first ones stay.

use super::object::JsonObject;
use super::{MAX_RECORD, Record, RecordError};

/// Most bytes of `userAgent`, `errorCode`, `errorMessage` and `requestID`.
const MAX_TEXT: usize = 1024;
/// Most bytes of `requestParameters`, `responseElements` and `serviceEventDetails`.
const MAX_OBJECT: usize = 100 * 1024;
/// Most bytes of `additionalEventData`.
const MAX_ADDITIONAL: usize = 28 * 1024;
/// No note in place of an object has more bytes.
const MAX_NOTE: usize = 128;

pub(super) fn text(record: Record) -> Result<String, RecordError> {
    text_within(record, MAX_RECORD)
}

/// The same within fewer bytes.
pub(super) fn text_within(mut record: Record, limit: usize) -> Result<String, RecordError> {
    for text in [
        &mut record.user_agent,
        &mut record.error_code,
        &mut record.error_message,
        &mut record.request_id,
    ]
    .into_iter()
    .flatten()
    {
        text.truncate(text.floor_char_boundary(MAX_TEXT));
    }
    omit(
        "additionalEventData",
        &mut record.additional_event_data,
        MAX_ADDITIONAL,
    );
    omit(
        "serviceEventDetails",
        &mut record.service_event_details,
        MAX_OBJECT,
    );
    omit("responseElements", &mut record.response_elements, MAX_OBJECT);
    omit("requestParameters", &mut record.request_parameters, MAX_OBJECT);
    for step in 0..4_u8 {
        if let Some(text) = written(&record, limit)? {
            return Ok(text);
        }
        match step {
            0 => omit("additionalEventData", &mut record.additional_event_data, 0),
            1 => omit("serviceEventDetails", &mut record.service_event_details, 0),
            2 => omit("responseElements", &mut record.response_elements, 0),
            _ => omit("requestParameters", &mut record.request_parameters, 0),
        }
    }
    loop {
        if let Some(text) = written(&record, limit)? {
            return Ok(text);
        }
        if record.resources.is_empty() {
            return Err(RecordError::TooLarge { limit });
        }
        // By halves: a record is written a dozen times at most, however many there are.
        record.resources.truncate(record.resources.len() / 2);
    }
}

/// The record as JSON, if that is short enough.
fn written(record: &Record, limit: usize) -> Result<Option<String>, RecordError> {
    let text = serde_json::to_string(record).map_err(RecordError::malformed)?;
    Ok((text.len() <= limit).then_some(text))
}

/// Puts a note in place of an object of more than `limit` bytes. What is as short as a note stays: it may be one.
fn omit(name: &'static str, object: &mut Option<JsonObject>, limit: usize) {
    let Some(there) = object else { return };
    let size = there.as_str().len();
    if size <= limit.max(MAX_NOTE) {
        return;
    }
    let note = format!(r#"{{"omitted":true,"originalSize":{size},"reason":"{name} too large"}}"#);
    *object = JsonObject::parse(&note).ok();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloudtrail::record::tests::{call, object_of};
    use crate::cloudtrail::record::{Resource, SessionContext, WebIdFederation};

    #[test]
    fn texts_are_cut_between_characters() {
        let mut record = call();
        record.user_agent = Some(format!("{}\u{e9}tail", "a".repeat(1023)));
        record.error_code = Some("b".repeat(1025));
        record.error_message = Some("c".repeat(1024));
        let record = Record::parse(text(record).unwrap().as_bytes()).unwrap();
        assert_eq!(record.user_agent, Some("a".repeat(1023)));
        assert_eq!(record.error_code, Some("b".repeat(1024)));
        assert_eq!(record.error_message, Some("c".repeat(1024)));
    }

    #[test]
    fn objects_past_their_limit_are_omitted_with_their_size() {
        let mut record = call();
        record.request_parameters = Some(object_of(100 * 1024 + 1));
        record.response_elements = Some(object_of(100 * 1024));
        record.additional_event_data = Some(object_of(28 * 1024 + 1));
        let record = Record::parse(text(record).unwrap().as_bytes()).unwrap();
        let omitted = |object: &Option<JsonObject>| object.as_ref().unwrap().as_str().to_owned();
        assert_eq!(
            omitted(&record.request_parameters),
            r#"{"omitted":true,"originalSize":102401,"reason":"requestParameters too large"}"#
        );
        assert_eq!(
            omitted(&record.additional_event_data),
            r#"{"omitted":true,"originalSize":28673,"reason":"additionalEventData too large"}"#
        );
        assert_eq!(record.response_elements, Some(object_of(100 * 1024)));
    }

    #[test]
    fn fields_within_their_limits_go_until_the_record_is_within_its_own() {
        let mut record = call();
        record.request_parameters = Some(object_of(100 * 1024));
        record.response_elements = Some(object_of(100 * 1024));
        record.service_event_details = Some(object_of(60 * 1024));
        record.additional_event_data = Some(object_of(28 * 1024));
        let record = Record::parse(text(record).unwrap().as_bytes()).unwrap();
        assert_eq!(record.request_parameters, Some(object_of(100 * 1024)));
        assert_eq!(record.response_elements, Some(object_of(100 * 1024)));
        let gone = |object: &Option<JsonObject>| object.as_ref().unwrap().as_str().contains("too large");
        assert!(gone(&record.service_event_details) && gone(&record.additional_event_data));
    }

    #[test]
    fn the_first_resources_stay() {
        let mut record = call();
        let name = |n: usize| format!("arn:aws:s3:::bucket/{n}{}", "k".repeat(900));
        record.resources = (0..1000)
            .map(|n| Resource::of(name(n), "AWS::S3::Object"))
            .collect();
        let kept = Record::parse(text(record.clone()).unwrap().as_bytes())
            .unwrap()
            .resources;
        assert_eq!(kept.len(), 250);
        assert_eq!(kept[..], record.resources[..250]);
    }

    #[test]
    fn a_note_stays_and_what_only_looks_like_one_does_not() {
        let mut record = call();
        record.request_parameters = Some(object_of(150 * 1024));
        let like = format!(r#"{{"omitted":true,"a":"{}"}}"#, "x".repeat(150 * 1024));
        record.response_elements = Some(JsonObject::parse(&like).unwrap());
        let name = "k".repeat(300 * 1024);
        record.resources = vec![Resource::of(name, "AWS::S3::Object")];
        let record = Record::parse(text(record).unwrap().as_bytes()).unwrap();
        let note = |name: &str, size: usize| {
            let text = format!(r#"{{"omitted":true,"originalSize":{size},"reason":"{name} too large"}}"#);
            JsonObject::parse(&text).ok()
        };
        assert_eq!(record.request_parameters, note("requestParameters", 150 * 1024));
        assert_eq!(record.response_elements, note("responseElements", like.len()));
        let longest = note("additionalEventData", usize::MAX).unwrap();
        assert!(longest.as_str().len() <= MAX_NOTE);
    }

    #[test]
    fn what_cannot_become_shorter_is_an_error() {
        let mut record = call();
        record.user_identity.session_context = Some(SessionContext {
            web_id_federation_data: Some(WebIdFederation {
                federated_provider: "p".repeat(MAX_RECORD),
                attributes: [].into(),
            }),
            ..SessionContext::default()
        });
        assert_eq!(text(record), Err(RecordError::TooLarge { limit: MAX_RECORD }));
    }
}
