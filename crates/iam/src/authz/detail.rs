//! Why somebody was denied, in full, for who may know: what `sts:DecodeAuthorizationMessage` gives back.

use serde::{Deserialize, Serialize};

/// Everything about a denial. The caller gets it sealed only; `sts` seals and opens it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DenialDetail {
    /// Always false: it was denied.
    pub allowed: bool,
    /// Whether a statement denied it.
    pub explicit_deny: bool,
    /// The statements that denied it; empty if nothing allowed it.
    pub matched_statements: Items<DeniedBy>,
    /// Which layer said no, as the journal has it, such as `not-allowed/identity`.
    pub failures: Items<DetailValue>,
    /// Who asked for what.
    pub context: DenialContext,
}

/// A list as AWS writes it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Items<T> {
    /// What is in it.
    pub items: Vec<T>,
}

/// One value of a list.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DetailValue {
    /// The value.
    pub value: String,
}

/// A statement that denied.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeniedBy {
    /// Its `Sid`; empty if it has none.
    pub statement_id: String,
    /// Always `DENY`.
    pub effect: String,
    /// Which policy it is in.
    pub source_policy_id: String,
    /// In which kind of policy, such as `service control policy`.
    pub source_policy_type: String,
    /// Which statement of the policy, from 1.
    pub position: usize,
}

/// Who asked for what.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DenialContext {
    /// Who.
    pub principal: DeniedPrincipal,
    /// What.
    pub action: String,
    /// On what.
    pub resource: String,
    /// What conditions could ask about.
    pub conditions: Items<DetailCondition>,
}

/// Who was denied.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DeniedPrincipal {
    /// The unique id, as `aws:userid` has it.
    pub id: String,
    /// The ARN.
    pub arn: String,
}

/// One key that conditions could ask about.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DetailCondition {
    /// The key.
    pub key: String,
    /// Its values.
    pub values: Items<DetailValue>,
}

/// What was opened is no detail of a denial.
#[derive(Debug, thiserror::Error)]
#[error("this is no detail of a denial")]
pub struct NotADetail(#[source] serde_json::Error);

impl DenialDetail {
    /// As JSON text, as AWS writes it.
    #[must_use]
    pub fn to_json(&self) -> String {
        // INVARIANT: strings, numbers and lists only, so that nothing can fail.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// From [`DenialDetail::to_json`]'s text.
    ///
    /// # Errors
    /// [`NotADetail`] for any other text.
    pub fn from_json(text: &str) -> Result<Self, NotADetail> {
        serde_json::from_str(text).map_err(NotADetail)
    }
}
