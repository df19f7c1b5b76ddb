//! Log streams, and the events in them, which are a tenant's words.
//!
//! Made from AWS's published model: one request per operation, one shape per reply.

use moho_terms::Content;

use crate::aws::declare::{both, operations, request, shape};

request! { #[derive(Debug, Clone, PartialEq)] CreateLogStream {
    log_group_name: String = "logGroupName",
    log_stream_name: String = "logStreamName",
} }
request! { #[derive(Debug, Clone, PartialEq)] DeleteLogStream {
    log_group_name: String = "logGroupName",
    log_stream_name: String = "logStreamName",
} }
request! { DescribeLogStreams {
    log_group_name: Option<String> = "logGroupName",
    log_group_identifier: Option<String> = "logGroupIdentifier",
    log_stream_name_prefix: Option<String> = "logStreamNamePrefix",
    order_by: Option<String> = "orderBy",
    descending: Option<bool> = "descending",
    next_token: Option<Content> = "nextToken",
    limit: Option<i64> = "limit",
} }
both! { InputLogEvent {
    timestamp: i64 = "timestamp",
    message: Content = "message",
} }
request! { PutLogEvents {
    log_group_name: String = "logGroupName",
    log_stream_name: String = "logStreamName",
    log_events: Vec<InputLogEvent> = "logEvents",
} }
request! { GetLogEvents {
    log_group_name: Option<String> = "logGroupName",
    log_group_identifier: Option<String> = "logGroupIdentifier",
    log_stream_name: String = "logStreamName",
    start_time: Option<i64> = "startTime",
    end_time: Option<i64> = "endTime",
    next_token: Option<Content> = "nextToken",
    limit: Option<i64> = "limit",
    start_from_head: Option<bool> = "startFromHead",
} }
request! { FilterLogEvents {
    log_group_name: Option<String> = "logGroupName",
    log_group_identifier: Option<String> = "logGroupIdentifier",
    log_stream_names: Option<Vec<String>> = "logStreamNames",
    log_stream_name_prefix: Option<String> = "logStreamNamePrefix",
    start_time: Option<i64> = "startTime",
    end_time: Option<i64> = "endTime",
    filter_pattern: Option<Content> = "filterPattern",
    next_token: Option<Content> = "nextToken",
    limit: Option<i64> = "limit",
    start_from_head: Option<bool> = "startFromHead",
} }
shape! { #[derive(Debug, Clone, PartialEq)] LogStream {
    log_stream_name: Option<String> = "logStreamName",
    creation_time: Option<i64> = "creationTime",
    first_event_timestamp: Option<i64> = "firstEventTimestamp",
    last_event_timestamp: Option<i64> = "lastEventTimestamp",
    last_ingestion_time: Option<i64> = "lastIngestionTime",
    upload_sequence_token: Option<String> = "uploadSequenceToken",
    arn: Option<String> = "arn",
    stored_bytes: Option<i64> = "storedBytes",
} }
shape! { DescribeLogStreamsReply {
    log_streams: Option<Vec<LogStream>> = "logStreams",
    next_token: Option<String> = "nextToken",
} }
shape! { #[derive(Debug, Clone, PartialEq)] RejectedLogEventsInfo {
    too_new_log_event_start_index: Option<i64> = "tooNewLogEventStartIndex",
    too_old_log_event_end_index: Option<i64> = "tooOldLogEventEndIndex",
    expired_log_event_end_index: Option<i64> = "expiredLogEventEndIndex",
} }
shape! { PutLogEventsReply {
    next_sequence_token: Option<String> = "nextSequenceToken",
    rejected_log_events_info: Option<RejectedLogEventsInfo> = "rejectedLogEventsInfo",
} }
shape! { OutputLogEvent {
    timestamp: Option<i64> = "timestamp",
    message: Option<Content> = "message",
    ingestion_time: Option<i64> = "ingestionTime",
} }
shape! { GetLogEventsReply {
    events: Option<Vec<OutputLogEvent>> = "events",
    next_forward_token: Option<String> = "nextForwardToken",
    next_backward_token: Option<String> = "nextBackwardToken",
} }
shape! { FilteredLogEvent {
    log_stream_name: Option<String> = "logStreamName",
    timestamp: Option<i64> = "timestamp",
    message: Option<Content> = "message",
    ingestion_time: Option<i64> = "ingestionTime",
    event_id: Option<String> = "eventId",
} }
shape! { #[derive(Debug, Clone, PartialEq)] SearchedLogStream {
    log_stream_name: Option<String> = "logStreamName",
    searched_completely: Option<bool> = "searchedCompletely",
} }
shape! { FilterLogEventsReply {
    events: Option<Vec<FilteredLogEvent>> = "events",
    searched_log_streams: Option<Vec<SearchedLogStream>> = "searchedLogStreams",
    next_token: Option<String> = "nextToken",
} }

operations! {
    CreateLogStream,
    DeleteLogStream,
    DescribeLogStreams,
    PutLogEvents,
    GetLogEvents,
    FilterLogEvents,
}
