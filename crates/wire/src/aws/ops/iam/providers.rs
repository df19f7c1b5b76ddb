//! Identity providers: OpenID Connect and SAML.
//!
//! Made from AWS's published model: one request per operation, one shape per reply.

use moho_terms::Timestamp;

use super::shapes::{OpenIDConnectProviderListEntry, SAMLPrivateKey, SAMLProviderListEntry, Tag};
use crate::aws::declare::{operations, request, shape};

request! { #[derive(Debug, Clone, PartialEq)] CreateOpenIDConnectProvider {
    url: String = "Url",
    client_id_list: Option<Vec<String>> = "ClientIDList",
    thumbprint_list: Option<Vec<String>> = "ThumbprintList",
    tags: Option<Vec<Tag>> = "Tags",
} }
request! { #[derive(Debug, Clone, PartialEq)] GetOpenIDConnectProvider {
    open_id_connect_provider_arn: String = "OpenIDConnectProviderArn",
} }
request! { #[derive(Debug, Clone, PartialEq)] ListOpenIDConnectProviders {} }
request! { #[derive(Debug, Clone, PartialEq)] DeleteOpenIDConnectProvider {
    open_id_connect_provider_arn: String = "OpenIDConnectProviderArn",
} }
request! { #[derive(Debug, Clone, PartialEq)] UpdateOpenIDConnectProviderThumbprint {
    open_id_connect_provider_arn: String = "OpenIDConnectProviderArn",
    thumbprint_list: Vec<String> = "ThumbprintList",
} }
request! { #[derive(Debug, Clone, PartialEq)] AddClientIDToOpenIDConnectProvider {
    open_id_connect_provider_arn: String = "OpenIDConnectProviderArn",
    client_id: String = "ClientID",
} }
request! { #[derive(Debug, Clone, PartialEq)] RemoveClientIDFromOpenIDConnectProvider {
    open_id_connect_provider_arn: String = "OpenIDConnectProviderArn",
    client_id: String = "ClientID",
} }
request! { #[derive(Debug, Clone, PartialEq)] TagOpenIDConnectProvider {
    open_id_connect_provider_arn: String = "OpenIDConnectProviderArn",
    tags: Vec<Tag> = "Tags",
} }
request! { #[derive(Debug, Clone, PartialEq)] UntagOpenIDConnectProvider {
    open_id_connect_provider_arn: String = "OpenIDConnectProviderArn",
    tag_keys: Vec<String> = "TagKeys",
} }
request! { #[derive(Debug, Clone, PartialEq)] ListOpenIDConnectProviderTags {
    open_id_connect_provider_arn: String = "OpenIDConnectProviderArn",
    marker: Option<String> = "Marker",
    max_items: Option<i64> = "MaxItems",
} }
request! { CreateSAMLProvider {
    saml_metadata_document: String = "SAMLMetadataDocument",
    name: String = "Name",
    tags: Option<Vec<Tag>> = "Tags",
} }
request! { #[derive(Debug, Clone, PartialEq)] GetSAMLProvider {
    saml_provider_arn: String = "SAMLProviderArn",
} }
request! { #[derive(Debug, Clone, PartialEq)] ListSAMLProviders {} }
request! { UpdateSAMLProvider {
    saml_metadata_document: Option<String> = "SAMLMetadataDocument",
    saml_provider_arn: String = "SAMLProviderArn",
} }
request! { #[derive(Debug, Clone, PartialEq)] DeleteSAMLProvider {
    saml_provider_arn: String = "SAMLProviderArn",
} }
request! { #[derive(Debug, Clone, PartialEq)] TagSAMLProvider {
    saml_provider_arn: String = "SAMLProviderArn",
    tags: Vec<Tag> = "Tags",
} }
request! { #[derive(Debug, Clone, PartialEq)] UntagSAMLProvider {
    saml_provider_arn: String = "SAMLProviderArn",
    tag_keys: Vec<String> = "TagKeys",
} }
request! { #[derive(Debug, Clone, PartialEq)] ListSAMLProviderTags {
    saml_provider_arn: String = "SAMLProviderArn",
    marker: Option<String> = "Marker",
    max_items: Option<i64> = "MaxItems",
} }
shape! { #[derive(Debug, Clone, PartialEq)] CreateOpenIDConnectProviderResponse {
    open_id_connect_provider_arn: Option<String> = "OpenIDConnectProviderArn",
    tags: Option<Vec<Tag>> = "Tags",
} }
shape! { #[derive(Debug, Clone, PartialEq)] GetOpenIDConnectProviderResponse {
    url: Option<String> = "Url",
    client_id_list: Option<Vec<String>> = "ClientIDList",
    thumbprint_list: Option<Vec<String>> = "ThumbprintList",
    create_date: Option<Timestamp> = "CreateDate",
    tags: Option<Vec<Tag>> = "Tags",
} }
shape! { #[derive(Debug, Clone, PartialEq)] ListOpenIDConnectProvidersResponse {
    open_id_connect_provider_list: Option<Vec<OpenIDConnectProviderListEntry>> = "OpenIDConnectProviderList",
} }
shape! { #[derive(Debug, Clone, PartialEq)] ListOpenIDConnectProviderTagsResponse {
    tags: Option<Vec<Tag>> = "Tags",
    is_truncated: Option<bool> = "IsTruncated",
    marker: Option<String> = "Marker",
} }
shape! { #[derive(Debug, Clone, PartialEq)] CreateSAMLProviderResponse {
    saml_provider_arn: Option<String> = "SAMLProviderArn",
    tags: Option<Vec<Tag>> = "Tags",
} }
shape! { #[derive(Debug, Clone, PartialEq)] GetSAMLProviderResponse {
    saml_provider_uuid: Option<String> = "SAMLProviderUUID",
    saml_metadata_document: Option<String> = "SAMLMetadataDocument",
    create_date: Option<Timestamp> = "CreateDate",
    valid_until: Option<Timestamp> = "ValidUntil",
    tags: Option<Vec<Tag>> = "Tags",
    assertion_encryption_mode: Option<String> = "AssertionEncryptionMode",
    private_key_list: Option<Vec<SAMLPrivateKey>> = "PrivateKeyList",
} }
shape! { #[derive(Debug, Clone, PartialEq)] ListSAMLProvidersResponse {
    saml_provider_list: Option<Vec<SAMLProviderListEntry>> = "SAMLProviderList",
} }
shape! { #[derive(Debug, Clone, PartialEq)] UpdateSAMLProviderResponse {
    saml_provider_arn: Option<String> = "SAMLProviderArn",
} }
shape! { #[derive(Debug, Clone, PartialEq)] ListSAMLProviderTagsResponse {
    tags: Option<Vec<Tag>> = "Tags",
    is_truncated: Option<bool> = "IsTruncated",
    marker: Option<String> = "Marker",
} }
operations! {
    CreateOpenIDConnectProvider,
    GetOpenIDConnectProvider,
    ListOpenIDConnectProviders,
    DeleteOpenIDConnectProvider,
    UpdateOpenIDConnectProviderThumbprint,
    AddClientIDToOpenIDConnectProvider,
    RemoveClientIDFromOpenIDConnectProvider,
    TagOpenIDConnectProvider,
    UntagOpenIDConnectProvider,
    ListOpenIDConnectProviderTags,
    CreateSAMLProvider,
    GetSAMLProvider,
    ListSAMLProviders,
    UpdateSAMLProvider,
    DeleteSAMLProvider,
    TagSAMLProvider,
    UntagSAMLProvider,
    ListSAMLProviderTags,
}
