//! Access to models, inference profiles and the log of invocations, as Bedrock calls them.
//!
//! Made from AWS's published model: one request per operation, one shape per reply.

use moho_terms::{ContentBytes, Secret, Timestamp};

use crate::aws::declare::{both, operations, request, shape};

both! { #[derive(Debug, Clone, PartialEq)] Tag {
    key: String = "key",
    value: String = "value",
} }
both! { #[derive(Debug, Clone, PartialEq, Eq)] S3Config {
    bucket_name: String = "bucketName",
    key_prefix: Option<String> = "keyPrefix",
} }
both! { #[derive(Debug, Clone, PartialEq, Eq)] CloudWatchConfig {
    log_group_name: String = "logGroupName",
    role_arn: String = "roleArn",
    large_data_delivery_s3_config: Option<S3Config> = "largeDataDeliveryS3Config",
} }
both! { #[derive(Debug, Clone, PartialEq, Eq)] LoggingConfig {
    cloud_watch_config: Option<CloudWatchConfig> = "cloudWatchConfig",
    s3_config: Option<S3Config> = "s3Config",
    text_data_delivery_enabled: Option<bool> = "textDataDeliveryEnabled",
    image_data_delivery_enabled: Option<bool> = "imageDataDeliveryEnabled",
    embedding_data_delivery_enabled: Option<bool> = "embeddingDataDeliveryEnabled",
    video_data_delivery_enabled: Option<bool> = "videoDataDeliveryEnabled",
    audio_data_delivery_enabled: Option<bool> = "audioDataDeliveryEnabled",
} }
both! { #[derive(Debug, Clone, PartialEq)] InferenceProfileModelSource {
    copy_from: Option<String> = "copyFrom",
} }
shape! { #[derive(Debug, Clone, PartialEq)] AgreementAvailability {
    status: Option<String> = "status",
    error_message: Option<String> = "errorMessage",
} }
shape! { #[derive(Debug, Clone, PartialEq)] DimensionalPriceRate {
    dimension: Option<String> = "dimension",
    price: Option<String> = "price",
    description: Option<String> = "description",
    unit: Option<String> = "unit",
} }
shape! { #[derive(Debug, Clone, PartialEq)] PricingTerm {
    rate_card: Option<Vec<DimensionalPriceRate>> = "rateCard",
} }
shape! { #[derive(Debug, Clone, PartialEq)] LegalTerm {
    url: Option<String> = "url",
} }
shape! { #[derive(Debug, Clone, PartialEq)] SupportTerm {
    refund_policy_description: Option<String> = "refundPolicyDescription",
} }
shape! { #[derive(Debug, Clone, PartialEq)] ValidityTerm {
    agreement_duration: Option<String> = "agreementDuration",
} }
shape! { #[derive(Debug, Clone, PartialEq)] TermDetails {
    usage_based_pricing_term: Option<PricingTerm> = "usageBasedPricingTerm",
    legal_term: Option<LegalTerm> = "legalTerm",
    support_term: Option<SupportTerm> = "supportTerm",
    validity_term: Option<ValidityTerm> = "validityTerm",
} }
shape! { #[derive(Debug, Clone, PartialEq)] Offer {
    offer_id: Option<String> = "offerId",
    offer_token: Option<String> = "offerToken",
    term_details: Option<TermDetails> = "termDetails",
} }
shape! { #[derive(Debug, Clone, PartialEq)] InferenceProfileModel {
    model_arn: Option<String> = "modelArn",
} }
shape! { InferenceProfileSummary {
    inference_profile_name: Option<String> = "inferenceProfileName",
    description: Option<Secret> = "description",
    created_at: Option<Timestamp> = "createdAt",
    updated_at: Option<Timestamp> = "updatedAt",
    inference_profile_arn: Option<String> = "inferenceProfileArn",
    models: Option<Vec<InferenceProfileModel>> = "models",
    inference_profile_id: Option<String> = "inferenceProfileId",
    status: Option<String> = "status",
    r#type: Option<String> = "type",
} }
request! { #[derive(Debug, Clone, PartialEq)] GetFoundationModelAvailability {
    model_id: String = "modelId",
} }
request! { #[derive(Debug, Clone, PartialEq)] ListFoundationModelAgreementOffers {
    model_id: String = "modelId",
    offer_type: Option<String> = "offerType",
} }
request! { #[derive(Debug, Clone, PartialEq)] CreateFoundationModelAgreement {
    offer_token: String = "offerToken",
    model_id: String = "modelId",
} }
request! { #[derive(Debug, Clone, PartialEq)] DeleteFoundationModelAgreement {
    model_id: String = "modelId",
} }
request! { PutUseCaseForModelAccess {
    form_data: ContentBytes = "formData",
} }
request! { #[derive(Debug, Clone, PartialEq)] GetUseCaseForModelAccess {
} }
request! { CreateInferenceProfile {
    inference_profile_name: String = "inferenceProfileName",
    description: Option<Secret> = "description",
    client_request_token: Option<String> = "clientRequestToken",
    model_source: InferenceProfileModelSource = "modelSource",
    tags: Option<Vec<Tag>> = "tags",
} }
request! { #[derive(Debug, Clone, PartialEq)] GetInferenceProfile {
    inference_profile_identifier: String = "inferenceProfileIdentifier",
} }
request! { #[derive(Debug, Clone, PartialEq)] ListInferenceProfiles {
    max_results: Option<i64> = "maxResults",
    next_token: Option<String> = "nextToken",
    type_equals: Option<String> = "typeEquals",
} }
request! { #[derive(Debug, Clone, PartialEq)] DeleteInferenceProfile {
    inference_profile_identifier: String = "inferenceProfileIdentifier",
} }
request! { #[derive(Debug, Clone, PartialEq)] TagResource {
    resource_arn: String = "resourceARN",
    tags: Vec<Tag> = "tags",
} }
request! { #[derive(Debug, Clone, PartialEq)] UntagResource {
    resource_arn: String = "resourceARN",
    tag_keys: Vec<String> = "tagKeys",
} }
request! { #[derive(Debug, Clone, PartialEq)] ListTagsForResource {
    resource_arn: String = "resourceARN",
} }
request! { #[derive(Debug, Clone, PartialEq)] GetAccountDataRetention {
} }
request! { #[derive(Debug, Clone, PartialEq)] PutAccountDataRetention {
    mode: String = "mode",
} }
request! { #[derive(Debug, Clone, PartialEq)] PutModelInvocationLoggingConfiguration {
    logging_config: LoggingConfig = "loggingConfig",
} }
request! { #[derive(Debug, Clone, PartialEq)] GetModelInvocationLoggingConfiguration {
} }
request! { #[derive(Debug, Clone, PartialEq)] DeleteModelInvocationLoggingConfiguration {
} }
shape! { #[derive(Debug, Clone, PartialEq)] GetModelInvocationLoggingConfigurationReply {
    logging_config: Option<LoggingConfig> = "loggingConfig",
} }
shape! { #[derive(Debug, Clone, PartialEq)] AccountDataRetention {
    mode: Option<String> = "mode",
    updated_at: Option<Timestamp> = "updatedAt",
} }
shape! { #[derive(Debug, Clone, PartialEq)] GetFoundationModelAvailabilityReply {
    model_id: Option<String> = "modelId",
    agreement_availability: Option<AgreementAvailability> = "agreementAvailability",
    authorization_status: Option<String> = "authorizationStatus",
    entitlement_availability: Option<String> = "entitlementAvailability",
    region_availability: Option<String> = "regionAvailability",
} }
shape! { #[derive(Debug, Clone, PartialEq)] ListFoundationModelAgreementOffersReply {
    model_id: Option<String> = "modelId",
    offers: Option<Vec<Offer>> = "offers",
} }
shape! { #[derive(Debug, Clone, PartialEq)] CreateFoundationModelAgreementReply {
    model_id: Option<String> = "modelId",
} }
shape! { GetUseCaseForModelAccessReply {
    form_data: Option<ContentBytes> = "formData",
} }
shape! { #[derive(Debug, Clone, PartialEq)] CreateInferenceProfileReply {
    inference_profile_arn: Option<String> = "inferenceProfileArn",
    status: Option<String> = "status",
} }
shape! { #[derive(Debug, Clone, PartialEq)] ListTagsForResourceReply {
    tags: Option<Vec<Tag>> = "tags",
} }
shape! { ListInferenceProfilesReply {
    inference_profile_summaries: Option<Vec<InferenceProfileSummary>> = "inferenceProfileSummaries",
    next_token: Option<String> = "nextToken",
} }

operations! {
    GetFoundationModelAvailability,
    ListFoundationModelAgreementOffers,
    CreateFoundationModelAgreement,
    DeleteFoundationModelAgreement,
    PutUseCaseForModelAccess,
    GetUseCaseForModelAccess,
    CreateInferenceProfile,
    GetInferenceProfile,
    ListInferenceProfiles,
    DeleteInferenceProfile,
    TagResource,
    UntagResource,
    ListTagsForResource,
    GetAccountDataRetention,
    PutAccountDataRetention,
    PutModelInvocationLoggingConfiguration,
    GetModelInvocationLoggingConfiguration,
    DeleteModelInvocationLoggingConfiguration,
}
