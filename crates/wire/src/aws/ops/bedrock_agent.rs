//! Prompts, as Bedrock calls them.
//!
//! Made from AWS's published model: one request per operation, one shape per reply. What stands in a body is a tenant's word.

use std::collections::BTreeMap;

use moho_terms::{Content, Timestamp};

use crate::aws::declare::{operations, request, shape};
use crate::bedrock::PromptVariants;

request! { CreatePrompt {
    name: Content = "name",
    description: Option<Content> = "description",
    customer_encryption_key_arn: Option<Content> = "customerEncryptionKeyArn",
    default_variant: Option<Content> = "defaultVariant",
    variants: Option<PromptVariants> = "variants",
    client_token: Option<Content> = "clientToken",
    tags: Option<BTreeMap<String, Content>> = "tags",
} }
request! { CreatePromptVersion {
    prompt_identifier: String = "promptIdentifier",
    description: Option<Content> = "description",
    client_token: Option<Content> = "clientToken",
    tags: Option<BTreeMap<String, Content>> = "tags",
} }
request! { #[derive(Debug, Clone, PartialEq)] GetPrompt {
    prompt_identifier: String = "promptIdentifier",
    prompt_version: Option<String> = "promptVersion",
    included_data: Option<String> = "includedData",
} }
request! { #[derive(Debug, Clone, PartialEq)] ListPrompts {
    prompt_identifier: Option<String> = "promptIdentifier",
    max_results: Option<i64> = "maxResults",
    next_token: Option<String> = "nextToken",
} }
request! { UpdatePrompt {
    name: Content = "name",
    description: Option<Content> = "description",
    customer_encryption_key_arn: Option<Content> = "customerEncryptionKeyArn",
    default_variant: Option<Content> = "defaultVariant",
    variants: Option<PromptVariants> = "variants",
    prompt_identifier: String = "promptIdentifier",
} }
request! { #[derive(Debug, Clone, PartialEq)] DeletePrompt {
    prompt_identifier: String = "promptIdentifier",
    prompt_version: Option<String> = "promptVersion",
} }
request! { TagResource {
    resource_arn: String = "resourceArn",
    tags: BTreeMap<String, Content> = "tags",
} }
request! { #[derive(Debug, Clone, PartialEq)] UntagResource {
    resource_arn: String = "resourceArn",
    tag_keys: Vec<String> = "tagKeys",
} }
request! { #[derive(Debug, Clone, PartialEq)] ListTagsForResource {
    resource_arn: String = "resourceArn",
} }
shape! { Prompt {
    name: Option<String> = "name",
    description: Option<Content> = "description",
    customer_encryption_key_arn: Option<String> = "customerEncryptionKeyArn",
    default_variant: Option<Content> = "defaultVariant",
    variants: Option<PromptVariants> = "variants",
    id: Option<String> = "id",
    arn: Option<String> = "arn",
    version: Option<String> = "version",
    created_at: Option<Timestamp> = "createdAt",
    updated_at: Option<Timestamp> = "updatedAt",
} }
shape! { PromptSummary {
    name: Option<String> = "name",
    description: Option<Content> = "description",
    id: Option<String> = "id",
    arn: Option<String> = "arn",
    version: Option<String> = "version",
    created_at: Option<Timestamp> = "createdAt",
    updated_at: Option<Timestamp> = "updatedAt",
} }
shape! { ListPromptsReply {
    prompt_summaries: Option<Vec<PromptSummary>> = "promptSummaries",
    next_token: Option<String> = "nextToken",
} }
shape! { #[derive(Debug, Clone, PartialEq)] DeletePromptReply {
    id: Option<String> = "id",
    version: Option<String> = "version",
} }
shape! { #[derive(Debug, Clone, PartialEq)] ListTagsForResourceReply {
    tags: Option<BTreeMap<String, String>> = "tags",
} }

operations! {
    CreatePrompt,
    CreatePromptVersion,
    GetPrompt,
    ListPrompts,
    UpdatePrompt,
    DeletePrompt,
    TagResource,
    UntagResource,
    ListTagsForResource,
}
