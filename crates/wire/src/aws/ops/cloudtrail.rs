//! Requests and replies of `cloudtrail`: trails, what they deliver, and the events of an account.
//!
//! Made from AWS's published model: one request per operation, one shape per reply.

use moho_terms::{ContentBytes, Timestamp};

use crate::aws::declare::{both, operations, request, shape};

request! { #[derive(Debug, Clone, PartialEq)] CreateTrail {
    name: String = "Name",
    s3_bucket_name: String = "S3BucketName",
    s3_key_prefix: Option<String> = "S3KeyPrefix",
    include_global_service_events: Option<bool> = "IncludeGlobalServiceEvents",
    is_multi_region_trail: Option<bool> = "IsMultiRegionTrail",
    enable_log_file_validation: Option<bool> = "EnableLogFileValidation",
    kms_key_id: Option<String> = "KmsKeyId",
    is_organization_trail: Option<bool> = "IsOrganizationTrail",
    tags_list: Option<Vec<Tag>> = "TagsList",
} }
request! { #[derive(Debug, Clone, PartialEq)] UpdateTrail {
    name: String = "Name",
    s3_bucket_name: Option<String> = "S3BucketName",
    s3_key_prefix: Option<String> = "S3KeyPrefix",
    include_global_service_events: Option<bool> = "IncludeGlobalServiceEvents",
    is_multi_region_trail: Option<bool> = "IsMultiRegionTrail",
    enable_log_file_validation: Option<bool> = "EnableLogFileValidation",
    kms_key_id: Option<String> = "KmsKeyId",
    is_organization_trail: Option<bool> = "IsOrganizationTrail",
} }
request! { #[derive(Debug, Clone, PartialEq)] DeleteTrail {
    name: String = "Name",
} }
request! { #[derive(Debug, Clone, PartialEq)] DescribeTrails {
    trail_name_list: Option<Vec<String>> = "trailNameList",
    include_shadow_trails: Option<bool> = "includeShadowTrails",
} }
request! { #[derive(Debug, Clone, PartialEq)] GetTrail {
    name: String = "Name",
} }
request! { #[derive(Debug, Clone, PartialEq)] ListTrails {
    next_token: Option<String> = "NextToken",
} }
request! { #[derive(Debug, Clone, PartialEq)] GetTrailStatus {
    name: String = "Name",
} }
request! { #[derive(Debug, Clone, PartialEq)] StartLogging {
    name: String = "Name",
} }
request! { #[derive(Debug, Clone, PartialEq)] StopLogging {
    name: String = "Name",
} }
request! { #[derive(Debug, Clone, PartialEq)] LookupEvents {
    lookup_attributes: Option<Vec<LookupAttribute>> = "LookupAttributes",
    start_time: Option<Timestamp> = "StartTime",
    end_time: Option<Timestamp> = "EndTime",
    event_category: Option<String> = "EventCategory",
    max_results: Option<i64> = "MaxResults",
    next_token: Option<String> = "NextToken",
} }
request! { #[derive(Debug, Clone, PartialEq)] GetEventSelectors {
    trail_name: String = "TrailName",
} }
request! { #[derive(Debug, Clone, PartialEq)] PutEventSelectors {
    trail_name: String = "TrailName",
    event_selectors: Option<Vec<EventSelector>> = "EventSelectors",
    advanced_event_selectors: Option<Vec<AdvancedEventSelector>> = "AdvancedEventSelectors",
} }
request! { #[derive(Debug, Clone, PartialEq)] ListPublicKeys {
    start_time: Option<Timestamp> = "StartTime",
    end_time: Option<Timestamp> = "EndTime",
    next_token: Option<String> = "NextToken",
} }
request! { #[derive(Debug, Clone, PartialEq)] AddTags {
    resource_id: String = "ResourceId",
    tags_list: Vec<Tag> = "TagsList",
} }
request! { #[derive(Debug, Clone, PartialEq)] RemoveTags {
    resource_id: String = "ResourceId",
    tags_list: Vec<Tag> = "TagsList",
} }
request! { #[derive(Debug, Clone, PartialEq)] ListTags {
    resource_id_list: Vec<String> = "ResourceIdList",
    next_token: Option<String> = "NextToken",
} }

shape! { #[derive(Debug, Clone, PartialEq)] CreateTrailResponse {
    name: Option<String> = "Name",
    s3_bucket_name: Option<String> = "S3BucketName",
    s3_key_prefix: Option<String> = "S3KeyPrefix",
    include_global_service_events: Option<bool> = "IncludeGlobalServiceEvents",
    is_multi_region_trail: Option<bool> = "IsMultiRegionTrail",
    trail_arn: Option<String> = "TrailARN",
    log_file_validation_enabled: Option<bool> = "LogFileValidationEnabled",
    kms_key_id: Option<String> = "KmsKeyId",
    is_organization_trail: Option<bool> = "IsOrganizationTrail",
} }
shape! { #[derive(Debug, Clone, PartialEq)] UpdateTrailResponse {
    name: Option<String> = "Name",
    s3_bucket_name: Option<String> = "S3BucketName",
    s3_key_prefix: Option<String> = "S3KeyPrefix",
    include_global_service_events: Option<bool> = "IncludeGlobalServiceEvents",
    is_multi_region_trail: Option<bool> = "IsMultiRegionTrail",
    trail_arn: Option<String> = "TrailARN",
    log_file_validation_enabled: Option<bool> = "LogFileValidationEnabled",
    kms_key_id: Option<String> = "KmsKeyId",
    is_organization_trail: Option<bool> = "IsOrganizationTrail",
} }
shape! { #[derive(Debug, Clone, PartialEq)] DescribeTrailsResponse {
    trail_list: Option<Vec<Trail>> = "trailList",
} }
shape! { #[derive(Debug, Clone, PartialEq)] GetTrailResponse {
    trail: Option<Trail> = "Trail",
} }
shape! { #[derive(Debug, Clone, PartialEq)] ListTrailsResponse {
    trails: Option<Vec<TrailInfo>> = "Trails",
    next_token: Option<String> = "NextToken",
} }
shape! { #[derive(Debug, Clone, PartialEq)] GetTrailStatusResponse {
    is_logging: Option<bool> = "IsLogging",
    latest_delivery_error: Option<String> = "LatestDeliveryError",
    latest_delivery_time: Option<Timestamp> = "LatestDeliveryTime",
    start_logging_time: Option<Timestamp> = "StartLoggingTime",
    stop_logging_time: Option<Timestamp> = "StopLoggingTime",
    latest_digest_delivery_time: Option<Timestamp> = "LatestDigestDeliveryTime",
    latest_digest_delivery_error: Option<String> = "LatestDigestDeliveryError",
    latest_delivery_attempt_time: Option<String> = "LatestDeliveryAttemptTime",
    latest_notification_attempt_time: Option<String> = "LatestNotificationAttemptTime",
    latest_notification_attempt_succeeded: Option<String> = "LatestNotificationAttemptSucceeded",
    latest_delivery_attempt_succeeded: Option<String> = "LatestDeliveryAttemptSucceeded",
    time_logging_started: Option<String> = "TimeLoggingStarted",
    time_logging_stopped: Option<String> = "TimeLoggingStopped",
} }
shape! { LookupEventsResponse {
    events: Option<Vec<Event>> = "Events",
    next_token: Option<String> = "NextToken",
} }
shape! { #[derive(Debug, Clone, PartialEq)] GetEventSelectorsResponse {
    trail_arn: Option<String> = "TrailARN",
    event_selectors: Option<Vec<EventSelector>> = "EventSelectors",
    advanced_event_selectors: Option<Vec<AdvancedEventSelector>> = "AdvancedEventSelectors",
} }
shape! { #[derive(Debug, Clone, PartialEq)] PutEventSelectorsResponse {
    trail_arn: Option<String> = "TrailARN",
    event_selectors: Option<Vec<EventSelector>> = "EventSelectors",
    advanced_event_selectors: Option<Vec<AdvancedEventSelector>> = "AdvancedEventSelectors",
} }
shape! { ListPublicKeysResponse {
    public_key_list: Option<Vec<PublicKey>> = "PublicKeyList",
    next_token: Option<String> = "NextToken",
} }
shape! { #[derive(Debug, Clone, PartialEq)] ListTagsResponse {
    resource_tag_list: Option<Vec<ResourceTag>> = "ResourceTagList",
    next_token: Option<String> = "NextToken",
} }

both! { #[derive(Debug, Clone, PartialEq)] Tag {
    key: String = "Key",
    value: Option<String> = "Value",
} }
both! { #[derive(Debug, Clone, PartialEq)] EventSelector {
    read_write_type: Option<String> = "ReadWriteType",
    include_management_events: Option<bool> = "IncludeManagementEvents",
    data_resources: Option<Vec<DataResource>> = "DataResources",
    exclude_management_event_sources: Option<Vec<String>> = "ExcludeManagementEventSources",
} }
both! { #[derive(Debug, Clone, PartialEq)] DataResource {
    kind: Option<String> = "Type",
    values: Option<Vec<String>> = "Values",
} }
both! { #[derive(Debug, Clone, PartialEq)] AdvancedEventSelector {
    name: Option<String> = "Name",
    field_selectors: Vec<AdvancedFieldSelector> = "FieldSelectors",
} }
both! { #[derive(Debug, Clone, PartialEq)] AdvancedFieldSelector {
    field: String = "Field",
    equals: Option<Vec<String>> = "Equals",
    starts_with: Option<Vec<String>> = "StartsWith",
    ends_with: Option<Vec<String>> = "EndsWith",
    not_equals: Option<Vec<String>> = "NotEquals",
    not_starts_with: Option<Vec<String>> = "NotStartsWith",
    not_ends_with: Option<Vec<String>> = "NotEndsWith",
} }
both! { #[derive(Debug, Clone, PartialEq)] LookupAttribute {
    key: String = "AttributeKey",
    value: String = "AttributeValue",
} }
shape! { #[derive(Debug, Clone, PartialEq)] Trail {
    name: Option<String> = "Name",
    s3_bucket_name: Option<String> = "S3BucketName",
    s3_key_prefix: Option<String> = "S3KeyPrefix",
    include_global_service_events: Option<bool> = "IncludeGlobalServiceEvents",
    is_multi_region_trail: Option<bool> = "IsMultiRegionTrail",
    home_region: Option<String> = "HomeRegion",
    trail_arn: Option<String> = "TrailARN",
    log_file_validation_enabled: Option<bool> = "LogFileValidationEnabled",
    kms_key_id: Option<String> = "KmsKeyId",
    has_custom_event_selectors: Option<bool> = "HasCustomEventSelectors",
    has_insight_selectors: Option<bool> = "HasInsightSelectors",
    is_organization_trail: Option<bool> = "IsOrganizationTrail",
} }
shape! { #[derive(Debug, Clone, PartialEq)] TrailInfo {
    trail_arn: Option<String> = "TrailARN",
    name: Option<String> = "Name",
    home_region: Option<String> = "HomeRegion",
} }
shape! { PublicKey {
    value: Option<ContentBytes> = "Value",
    validity_start_time: Option<Timestamp> = "ValidityStartTime",
    validity_end_time: Option<Timestamp> = "ValidityEndTime",
    fingerprint: Option<String> = "Fingerprint",
} }
shape! { #[derive(Debug, Clone, PartialEq)] ResourceTag {
    resource_id: Option<String> = "ResourceId",
    tags_list: Option<Vec<Tag>> = "TagsList",
} }
shape! { Event {
    event_id: Option<String> = "EventId",
    event_name: Option<String> = "EventName",
    read_only: Option<String> = "ReadOnly",
    access_key_id: Option<String> = "AccessKeyId",
    event_time: Option<Timestamp> = "EventTime",
    event_source: Option<String> = "EventSource",
    username: Option<String> = "Username",
    resources: Option<Vec<Resource>> = "Resources",
    cloud_trail_event: Option<String> = "CloudTrailEvent",
} }
shape! { #[derive(Debug, Clone, PartialEq)] Resource {
    resource_type: Option<String> = "ResourceType",
    resource_name: Option<String> = "ResourceName",
} }

operations! {
    CreateTrail,
    UpdateTrail,
    DeleteTrail,
    DescribeTrails,
    GetTrail,
    ListTrails,
    GetTrailStatus,
    StartLogging,
    StopLogging,
    LookupEvents,
    GetEventSelectors,
    PutEventSelectors,
    ListPublicKeys,
    AddTags,
    RemoveTags,
    ListTags,
}
