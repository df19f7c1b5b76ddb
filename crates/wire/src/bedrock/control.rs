//! Bedrock's control plane, but for its list of models: which operation a method and a path name.

/// An operation of `bedrock` that says who may use which models, and under which names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ControlOperation {
    /// `GET /foundation-model-availability/{modelId}`
    GetFoundationModelAvailability,
    /// `GET /list-foundation-model-agreement-offers/{modelId}`
    ListFoundationModelAgreementOffers,
    /// `POST /create-foundation-model-agreement`
    CreateFoundationModelAgreement,
    /// `POST /delete-foundation-model-agreement`
    DeleteFoundationModelAgreement,
    /// `POST /use-case-for-model-access`
    PutUseCaseForModelAccess,
    /// `GET /use-case-for-model-access`
    GetUseCaseForModelAccess,
    /// `POST /inference-profiles`
    CreateInferenceProfile,
    /// `GET /inference-profiles/{inferenceProfileIdentifier}`
    GetInferenceProfile,
    /// `GET /inference-profiles`
    ListInferenceProfiles,
    /// `DELETE /inference-profiles/{inferenceProfileIdentifier}`
    DeleteInferenceProfile,
    /// `POST /tagResource`
    TagResource,
    /// `POST /untagResource`
    UntagResource,
    /// `POST /listTagsForResource`
    ListTagsForResource,
    /// `GET /data-retention`
    GetAccountDataRetention,
    /// `PUT /data-retention`
    PutAccountDataRetention,
}

impl ControlOperation {
    /// All of them, each with its name, its method and its path, as the service's model has them.
    const TABLE: [(Self, &'static str, &'static str, &'static str); 15] = [
        (
            Self::GetFoundationModelAvailability,
            "GetFoundationModelAvailability",
            "GET",
            "/foundation-model-availability/{modelId}",
        ),
        (
            Self::ListFoundationModelAgreementOffers,
            "ListFoundationModelAgreementOffers",
            "GET",
            "/list-foundation-model-agreement-offers/{modelId}",
        ),
        (
            Self::CreateFoundationModelAgreement,
            "CreateFoundationModelAgreement",
            "POST",
            "/create-foundation-model-agreement",
        ),
        (
            Self::DeleteFoundationModelAgreement,
            "DeleteFoundationModelAgreement",
            "POST",
            "/delete-foundation-model-agreement",
        ),
        (
            Self::PutUseCaseForModelAccess,
            "PutUseCaseForModelAccess",
            "POST",
            "/use-case-for-model-access",
        ),
        (
            Self::GetUseCaseForModelAccess,
            "GetUseCaseForModelAccess",
            "GET",
            "/use-case-for-model-access",
        ),
        (
            Self::CreateInferenceProfile,
            "CreateInferenceProfile",
            "POST",
            "/inference-profiles",
        ),
        (
            Self::GetInferenceProfile,
            "GetInferenceProfile",
            "GET",
            "/inference-profiles/{inferenceProfileIdentifier}",
        ),
        (
            Self::ListInferenceProfiles,
            "ListInferenceProfiles",
            "GET",
            "/inference-profiles",
        ),
        (
            Self::DeleteInferenceProfile,
            "DeleteInferenceProfile",
            "DELETE",
            "/inference-profiles/{inferenceProfileIdentifier}",
        ),
        (Self::TagResource, "TagResource", "POST", "/tagResource"),
        (Self::UntagResource, "UntagResource", "POST", "/untagResource"),
        (
            Self::ListTagsForResource,
            "ListTagsForResource",
            "POST",
            "/listTagsForResource",
        ),
        (
            Self::GetAccountDataRetention,
            "GetAccountDataRetention",
            "GET",
            "/data-retention",
        ),
        (
            Self::PutAccountDataRetention,
            "PutAccountDataRetention",
            "PUT",
            "/data-retention",
        ),
    ];

    /// Every operation.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::TABLE.into_iter().map(|(operation, ..)| operation)
    }

    /// AWS's name for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.row().1
    }

    /// Its path, with the name of its label in braces.
    #[must_use]
    pub fn template(self) -> &'static str {
        self.row().3
    }

    fn row(self) -> (Self, &'static str, &'static str, &'static str) {
        let mut table = Self::TABLE.into_iter();
        // INVARIANT: each has its row; a test compares the table with the model.
        table
            .find(|(operation, ..)| *operation == self)
            .unwrap_or((self, "", "", ""))
    }

    /// The operation of a method and the labels of a path, with the label that is a name; empty if there is none.
    pub(crate) fn find<'a>(method: &str, labels: &[&'a str]) -> Option<(Self, &'a str)> {
        Self::TABLE
            .into_iter()
            .find_map(|(operation, _, its_method, template)| {
                let mut template = template.trim_start_matches('/').split('/');
                let fits = its_method == method && template.next() == labels.first().copied();
                match (fits, template.next(), labels) {
                    (true, None, [_]) => Some((operation, "")),
                    (true, Some(_), [_, label]) => Some((operation, *label)),
                    _ => None,
                }
            })
    }

    /// Whether a path that begins so is one of these operations', whatever follows.
    pub(crate) fn begins(first: &str) -> bool {
        let begins = |template: &str| template.trim_start_matches('/').split('/').next() == Some(first);
        Self::TABLE.into_iter().any(|(.., template)| begins(template))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::rest::RestService;

    #[test]
    fn every_operation_of_the_model_has_its_row() {
        let model = RestService::Bedrock.model().unwrap();
        for (operation, name, method, template) in ControlOperation::TABLE {
            let labels: Vec<&str> = template.trim_start_matches('/').split('/').collect();
            let label = if labels.len() > 1 { labels[1] } else { "" };
            assert_eq!(ControlOperation::find(method, &labels), Some((operation, label)));
            assert_eq!(ControlOperation::find("PATCH", &labels), None);
            assert!(ControlOperation::begins(labels[0]));
            assert_eq!((operation.name(), operation.template()), (name, template));
        }
        let others = ["ListFoundationModels", "GetFoundationModel"];
        for name in model
            .operations
            .keys()
            .filter(|name| !others.contains(&name.as_str()))
        {
            assert!(
                ControlOperation::all().any(|operation| operation.name() == name),
                "{name}"
            );
        }
    }
}
