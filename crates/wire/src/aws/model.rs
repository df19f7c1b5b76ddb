//! The trimmed service models, as botocore writes them.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::sync::LazyLock;

use regex::Regex;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

use super::pattern;

/// A model that is part of this build cannot be used. A test reads every model, so no release has this.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ModelError {
    #[error("a service model is not what is expected")]
    Json(#[from] serde_json::Error),
    #[error("a pattern in a service model cannot be used")]
    Pattern(#[from] regex::Error),
}

pub(crate) static STS: LazyLock<Result<ServiceModel, ModelError>> =
    LazyLock::new(|| ServiceModel::read(include_str!("../../models/sts.json")));
pub(crate) static BEDROCK: LazyLock<Result<ServiceModel, ModelError>> =
    LazyLock::new(|| ServiceModel::read(include_str!("../../models/bedrock.json")));
pub(crate) static BEDROCK_AGENT: LazyLock<Result<ServiceModel, ModelError>> =
    LazyLock::new(|| ServiceModel::read(include_str!("../../models/bedrock-agent.json")));
pub(crate) static BEDROCK_RUNTIME: LazyLock<Result<ServiceModel, ModelError>> =
    LazyLock::new(|| ServiceModel::read(include_str!("../../models/bedrock-runtime.json")));
pub(crate) static IAM: LazyLock<Result<ServiceModel, ModelError>> =
    LazyLock::new(|| ServiceModel::read(include_str!("../../models/iam.json")));

pub(crate) static ORGANIZATIONS: LazyLock<Result<ServiceModel, ModelError>> =
    LazyLock::new(|| ServiceModel::read(include_str!("../../models/organizations.json")));
pub(crate) static CLOUDTRAIL: LazyLock<Result<ServiceModel, ModelError>> =
    LazyLock::new(|| ServiceModel::read(include_str!("../../models/cloudtrail.json")));
pub(crate) static KMS: LazyLock<Result<ServiceModel, ModelError>> =
    LazyLock::new(|| ServiceModel::read(include_str!("../../models/kms.json")));
pub(crate) static LOGS: LazyLock<Result<ServiceModel, ModelError>> =
    LazyLock::new(|| ServiceModel::read(include_str!("../../models/logs.json")));
pub(crate) static EC2: LazyLock<Result<ServiceModel, ModelError>> =
    LazyLock::new(|| ServiceModel::read(include_str!("../../models/ec2.json")));

/// Names of models, whose patterns list AWS's own providers. moho's names are its own, and are checked by
/// [`ModelIdentifier`](crate::bedrock::ModelIdentifier).
const OURS: [&str; 9] = [
    "BedrockModelId",
    "ConversationalModelId",
    "FoundationModelVersionIdentifier",
    "GetFoundationModelIdentifier",
    "InferenceProfileIdentifier",
    "InferenceProfileModelSourceArn",
    "InvokeModelIdentifier",
    "PromptModelIdentifier",
    "TaggableResourcesArn",
];

/// What the names of strings have that are no names: documents, descriptions, tokens.
const TEXTS: [&str; 7] = [
    "content",
    "description",
    "document",
    "filterpattern",
    "marker",
    "message",
    "token",
];

/// A service's operations and shapes.
#[derive(serde::Deserialize)]
pub(crate) struct ServiceModel {
    pub(crate) metadata: Metadata,
    pub(crate) operations: BTreeMap<String, Operation>,
    pub(crate) shapes: BTreeMap<String, Shape>,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Metadata {
    pub(crate) api_version: String,
    #[serde(default)]
    pub(crate) xml_namespace: String,
    /// What stands before an operation's name in `X-Amz-Target`.
    #[serde(default)]
    pub(crate) target_prefix: String,
    /// `ec2` writes names and lists in its own way.
    #[serde(default)]
    pub(crate) protocol: String,
}

/// How an operation answers.
#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Http {
    /// The status of its reply.
    pub(crate) response_code: u16,
}

impl Default for Http {
    fn default() -> Self {
        Self { response_code: 200 }
    }
}

/// One operation: the shapes of its request and reply.
#[derive(serde::Deserialize)]
pub(crate) struct Operation {
    #[serde(default)]
    pub(crate) http: Http,
    pub(crate) input: Option<ShapeRef>,
    pub(crate) output: Option<OutputRef>,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OutputRef {
    pub(crate) shape: String,
    pub(crate) result_wrapper: Option<String>,
}

/// A use of a shape: as a member, an item, a key or a value.
#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ShapeRef {
    pub(crate) shape: String,
    pub(crate) location_name: Option<String>,
    /// What EC2's requests call it, if not by its name in replies.
    pub(crate) query_name: Option<String>,
    pub(crate) location: Option<Location>,
    #[serde(default)]
    pub(crate) flattened: bool,
    pub(crate) timestamp_format: Option<TimestampFormat>,
}

/// Where a member of a rest-json request or reply is, if not in the body.
#[derive(serde::Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Location {
    Uri,
    #[serde(rename = "querystring")]
    Query,
    Header,
    Headers,
    StatusCode,
}

#[derive(serde::Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub(crate) enum TimestampFormat {
    Iso8601,
    Rfc822,
    UnixTimestamp,
}

#[derive(serde::Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    Structure,
    List,
    Map,
    String,
    Integer,
    Long,
    Float,
    Double,
    Boolean,
    Timestamp,
    Blob,
}

/// A shape and its constraints.
#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Shape {
    #[serde(rename = "type")]
    pub(crate) kind: Kind,
    #[serde(default)]
    pub(crate) members: Ordered<ShapeRef>,
    #[serde(default)]
    pub(crate) required: Vec<String>,
    pub(crate) member: Option<ShapeRef>,
    pub(crate) key: Option<ShapeRef>,
    pub(crate) value: Option<ShapeRef>,
    pub(crate) min: Option<f64>,
    pub(crate) max: Option<f64>,
    pub(crate) pattern: Option<String>,
    #[serde(rename = "enum", default)]
    pub(crate) words: Vec<String>,
    #[serde(default)]
    pub(crate) sensitive: bool,
    #[serde(default)]
    pub(crate) flattened: bool,
    /// The member that is the whole body.
    pub(crate) payload: Option<String>,
    /// A structure of which exactly one member is set.
    #[serde(default)]
    pub(crate) union: bool,
    /// Any JSON.
    #[serde(default)]
    pub(crate) document: bool,
    pub(crate) timestamp_format: Option<TimestampFormat>,
    #[serde(skip)]
    pub(crate) regex: Option<Regex>,
    /// A string that no error repeats, however short it is.
    #[serde(skip)]
    pub(crate) is_text: bool,
}

impl ServiceModel {
    pub(crate) fn read(json: &str) -> Result<Self, ModelError> {
        let mut model: Self = serde_json::from_str(json)?;
        for (name, shape) in &mut model.shapes {
            let lower = name.to_ascii_lowercase();
            shape.is_text = shape.words.is_empty() && TEXTS.iter().any(|text| lower.contains(text));
            if !OURS.contains(&name.as_str()) {
                shape.regex = shape.pattern.as_deref().map(pattern::whole).transpose()?;
            }
        }
        Ok(model)
    }
}

/// A map that keeps its order, which is the order of members in a reply.
pub(crate) struct Ordered<T>(Vec<(String, T)>);

impl<T> Default for Ordered<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Ordered<T> {
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &T)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Ordered<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Entries<T> {
            type Value = Ordered<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Ordered<T>, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Ordered(entries))
            }
        }
        deserializer.deserialize_map(Entries(PhantomData))
    }
}
